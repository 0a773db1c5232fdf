//! The people of a vendor. Only owners see and create them.

use axum::extract::State;
use axum::http::StatusCode;
use axum::response::{IntoResponse as _, Response};
use axum::{Extension, Json};
use inkan_core::operators::NewPerson;
use inkan_core::{Core, totp};
use inkan_model::OperatorId;
use inkan_model::locale::Locale;
use inkan_model::operator;
use secrecy::SecretString;
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

use super::caller::Caller;
use super::extract::{Body, NoFilter, Params};
use super::idempotency::stored_as;
use super::problem::Answer;
use super::values::{LocaleWord, PageOf, RoleWord, Word};

pub(super) fn routes() -> OpenApiRouter<Core> {
    OpenApiRouter::new().routes(routes!(list_operators, create_operator))
}

/// A person who works at the vendor.
#[derive(Clone, Serialize, ToSchema)]
pub(super) struct Operator {
    /// Which one.
    #[schema(value_type = String, format = "uuid")]
    id: OperatorId,
    /// Mail address, with which they sign in.
    mail: String,
    /// Name to show.
    name: String,
    /// What they may do.
    role: RoleWord,
    /// Their language.
    locale: LocaleWord,
}

impl From<operator::Operator> for Operator {
    fn from(operator: operator::Operator) -> Self {
        let operator::Operator { id, vendor: _, mail, name, role, locale } = operator;
        Self { id, mail, name, role: Word(role), locale: Word(locale) }
    }
}

/// A person who is to become an operator.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct NewOperator {
    /// Mail address to sign in with.
    mail: String,
    /// Name to show.
    name: String,
    /// Password, 12 to 256 characters.
    #[schema(format = Password)]
    password: String,
    /// What they may do.
    role: RoleWord,
    /// Their language; Japanese when absent.
    #[serde(default)]
    locale: Option<LocaleWord>,
}

/// An operator who was just created, with what their authenticator app needs. It is shown this once.
#[derive(Clone, Serialize, ToSchema)]
pub(super) struct OperatorCreated {
    #[serde(flatten)]
    operator: Operator,
    /// The one-time codes' seed in base32; null in the answer to a repeated request.
    totp_seed: Option<String>,
    /// The same as an `otpauth:` URI, for a QR code; null in the answer to a repeated request.
    totp_uri: Option<String>,
}

/// List operators
#[utoipa::path(
    get, path = "/operators", tag = "operators", operation_id = "list_operators",
    responses((status = 200, description = "All operators of the vendor, by mail address", body = PageOf<Operator>)),
)]
async fn list_operators(
    State(core): State<Core>,
    caller: Caller,
    Params(NoFilter {}): Params<NoFilter>,
) -> Answer<Json<PageOf<Operator>>> {
    let operators = core.list_operators(&caller.operator).await?;
    Ok(Json(PageOf::whole(operators.into_iter().map(Into::into).collect())))
}

/// Create an operator
///
/// Their one-time codes' seed is in the answer, once: they type it into their authenticator app.
#[utoipa::path(
    post, path = "/operators", tag = "operators", operation_id = "create_operator", request_body = NewOperator,
    responses((status = 201, description = "Created", body = OperatorCreated)),
)]
async fn create_operator(State(core): State<Core>, caller: Caller, Body(new): Body<NewOperator>) -> Answer<Response> {
    let NewOperator { mail, name, password, role, locale } = new;
    let seed = core.new_totp_seed();
    let person = NewPerson {
        mail,
        name,
        password: SecretString::from(password),
        totp_seed: seed.clone(),
        role: role.0,
        locale: locale.map_or(Locale::default(), |word| word.0),
    };
    let created = core.create_operator(&caller.operator, person).await?;
    let (totp_seed, totp_uri) = totp::describe_seed(&seed, &created.mail);
    let without = OperatorCreated { operator: created.into(), totp_seed: None, totp_uri: None };
    let stored = stored_as(&without);
    let shown = OperatorCreated { totp_seed: Some(totp_seed), totp_uri: Some(totp_uri), ..without };
    Ok((StatusCode::CREATED, Extension(stored), Json(shown)).into_response())
}
