//! Join tokens: made, listed, withdrawn. The secret is in the answer that makes one, and nowhere else.

use std::collections::HashMap;
use std::collections::hash_map::Entry;

use axum::extract::State;
use axum::http::StatusCode;
use axum::response::{IntoResponse as _, Response};
use axum::{Extension, Json};
use inkan_core::Core;
use inkan_core::enrolment::JoinTokenOrder;
use inkan_model::join_token::{self, DEFAULT_LIFETIME};
use inkan_model::{ClinicId, HostId, JoinTokenId, OperatorId, Timestamp};
use serde::{Deserialize, Serialize};
use time::Duration;
use utoipa::ToSchema;
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

use super::caller::Caller;
use super::clinics::find_clinic;
use super::extract::{Body, List, NoFilter, Paging, Segment};
use super::idempotency::stored_as;
use super::problem::{Answer, Problem};
use super::values::{ClinicName, ClinicRef, Moment, PageOf};

pub(super) fn routes() -> OpenApiRouter<Core> {
    OpenApiRouter::new().routes(routes!(list_join_tokens, create_join_token)).routes(routes!(revoke_join_token))
}

/// A permission to enrol PCs of one clinic, without its secret.
#[derive(Clone, Serialize, ToSchema)]
pub(super) struct JoinToken {
    /// Which one.
    #[schema(value_type = String, format = "uuid")]
    id: JoinTokenId,
    /// The clinic that its PCs belong to.
    clinic: ClinicRef,
    /// The operator who made it.
    #[schema(value_type = String, format = "uuid")]
    created_by: OperatorId,
    /// When it was made.
    created_at: Moment,
    /// After this moment it enrols nobody.
    expires_at: Moment,
    /// How many PCs it may enrol.
    uses: u32,
    /// The PCs that it enrolled.
    #[schema(value_type = Vec<String>)]
    used_by: Vec<HostId>,
    /// Whether PCs enrolled by it get directives at once, without an operator's approval.
    approve: bool,
    /// When an operator withdrew it.
    revoked_at: Option<Moment>,
    /// Whether it enrols anybody: `open`, `used_up`, `expired` or `revoked`.
    state: &'static str,
}

impl JoinToken {
    fn of(token: join_token::JoinToken, clinic_name: String, now: Timestamp) -> Self {
        let state = state_of(&token, now);
        let join_token::JoinToken {
            id,
            vendor: _,
            clinic,
            created_by,
            created_at,
            expires_at,
            uses,
            used_by,
            approve,
            revoked_at,
        } = token;
        Self {
            id,
            clinic: ClinicRef { id: clinic, name: clinic_name },
            created_by,
            created_at: Moment(created_at),
            expires_at: Moment(expires_at),
            uses,
            used_by,
            approve,
            revoked_at: revoked_at.map(Moment),
            state,
        }
    }
}

fn state_of(token: &join_token::JoinToken, now: Timestamp) -> &'static str {
    if token.revoked_at.is_some() {
        "revoked"
    } else if token.used_by.len() >= usize::try_from(token.uses).unwrap_or(usize::MAX) {
        "used_up"
    } else if token.expires_at <= now {
        "expired"
    } else {
        "open"
    }
}

/// What a token is asked to allow.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct NewJoinToken {
    /// The clinic, by its 10-digit institution code. Either this or `clinic_id`.
    #[serde(default)]
    clinic_code: Option<String>,
    /// The clinic, by its identifier.
    #[serde(default)]
    clinic_id: Option<String>,
    /// How many PCs, 1 to 20; 1 when absent.
    #[serde(default)]
    #[schema(minimum = 1, maximum = 20)]
    uses: Option<u32>,
    /// For how many minutes, 1 to 1440; 240 when absent.
    #[serde(default)]
    #[schema(minimum = 1, maximum = 1440)]
    lifetime_minutes: Option<u32>,
    /// Whether the PCs get directives at once, without an operator's approval; false when absent.
    #[serde(default)]
    approve: bool,
}

impl NewJoinToken {
    fn clinic(&self) -> Answer<ClinicName> {
        let named = match (&self.clinic_code, &self.clinic_id) {
            (Some(code), None) => {
                code.parse().map(ClinicName::Code).map_err(|error| ("clinic_code", error.to_string()))
            }
            (None, Some(id)) => id.parse().map(ClinicName::Id).map_err(|error| ("clinic_id", error.to_string())),
            (Some(_), Some(_)) => Err(("clinic_id", "give either clinic_code or clinic_id".to_owned())),
            (None, None) => Err(("clinic_code", "say for which clinic: clinic_code or clinic_id".to_owned())),
        };
        named.map_err(|(field, why)| Problem::invalid(field, why))
    }
}

/// A token that was just made, with its secret.
#[derive(Clone, Serialize, ToSchema)]
pub(super) struct JoinTokenCreated {
    #[serde(flatten)]
    join_token: JoinToken,
    /// What to type on the PC; shown this once, and null in the answer to a repeated request.
    token: Option<String>,
}

/// List join tokens
#[utoipa::path(
    get, path = "/join-tokens", tag = "join tokens", operation_id = "list_join_tokens", params(Paging),
    responses((status = 200, description = "Join tokens, newest first", body = PageOf<JoinToken>)),
)]
async fn list_join_tokens(
    State(core): State<Core>,
    caller: Caller,
    List { filter: NoFilter {}, page }: List<NoFilter>,
) -> Answer<Json<PageOf<JoinToken>>> {
    let view = core.view(&caller.operator)?;
    let tokens = core.list_join_tokens(&caller.operator, &page).await?;
    let mut names: HashMap<ClinicId, String> = HashMap::new();
    for token in &tokens.items {
        if let Entry::Vacant(unknown) = names.entry(token.clinic) {
            unknown.insert(view.clinic(token.clinic).await?.profile.name);
        }
    }
    let now = core.now();
    Ok(Json(PageOf::of(tokens, |token| {
        let name = names.get(&token.clinic).cloned().unwrap_or_default();
        JoinToken::of(token, name, now)
    })))
}

/// Make a join token
///
/// The secret is in the answer, once.
#[utoipa::path(
    post, path = "/join-tokens", tag = "join tokens", operation_id = "create_join_token", request_body = NewJoinToken,
    responses((status = 201, description = "Made", body = JoinTokenCreated)),
)]
async fn create_join_token(
    State(core): State<Core>,
    caller: Caller,
    Body(new): Body<NewJoinToken>,
) -> Answer<Response> {
    let clinic = find_clinic(&core.view(&caller.operator)?, new.clinic()?).await?;
    let lifetime = new.lifetime_minutes.map_or(DEFAULT_LIFETIME, |minutes| Duration::minutes(minutes.into()));
    let order = JoinTokenOrder { clinic: clinic.id, uses: new.uses.unwrap_or(1), lifetime, approve: new.approve };
    let created = core.create_join_token(&caller.operator, order).await;
    let (token, secret) = created.map_err(|error| Problem::from(error).rename_field("lifetime", "lifetime_minutes"))?;
    let join_token = JoinToken::of(token, clinic.profile.name, core.now());
    let without = JoinTokenCreated { join_token, token: None };
    let stored = stored_as(&without);
    let shown = JoinTokenCreated { token: Some(secret.reveal()), ..without };
    Ok((StatusCode::CREATED, Extension(stored), Json(shown)).into_response())
}

/// Withdraw a join token
///
/// It enrols nobody from now on. PCs that it enrolled stay.
#[utoipa::path(
    delete, path = "/join-tokens/{id}", tag = "join tokens", operation_id = "revoke_join_token",
    params(("id" = String, Path, format = "uuid")),
    responses((status = 204, description = "Withdrawn")),
)]
async fn revoke_join_token(
    State(core): State<Core>,
    caller: Caller,
    Segment(id): Segment<JoinTokenId>,
) -> Answer<StatusCode> {
    core.revoke_join_token(&caller.operator, id).await?;
    Ok(StatusCode::NO_CONTENT)
}
