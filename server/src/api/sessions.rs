//! Signing in and out, and who one is.

use axum::Json;
use axum::extract::State;
use axum::http::StatusCode;
use inkan_core::Core;
use inkan_core::operators::LogIn;
use inkan_core::ports::SessionKind;
use secrecy::SecretString;
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

use super::caller::{Caller, Source};
use super::extract::Body;
use super::operators::Operator;
use super::problem::Answer;
use super::values::Moment;

/// The one route that needs no token.
pub(super) fn open_routes() -> OpenApiRouter<Core> {
    OpenApiRouter::new().routes(routes!(sign_in))
}

pub(super) fn routes() -> OpenApiRouter<Core> {
    OpenApiRouter::new().routes(routes!(sign_out)).routes(routes!(show_me))
}

/// What an operator signs in with.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct NewSession {
    /// Mail address.
    mail: String,
    /// Password.
    #[schema(format = Password)]
    password: String,
    /// The six digits that the authenticator app shows now.
    code: String,
}

/// A session, with the token that is shown this once.
#[derive(Serialize, ToSchema)]
pub(super) struct SessionStarted {
    /// The token, to be sent as `Authorization: Bearer …`.
    token: String,
    /// When it ends.
    expires_at: Moment,
    /// Who signed in.
    operator: Operator,
}

/// Sign in
///
/// Mail address, password and one-time code for a token. Which of the three was wrong is not said. An `Idempotency-Key`
/// is not looked at: a one-time code counts once anyway.
#[utoipa::path(
    post, path = "/sessions", tag = "sessions", operation_id = "sign_in", security(()), request_body = NewSession,
    responses((status = 201, description = "Signed in", body = SessionStarted)),
)]
async fn sign_in(
    State(core): State<Core>,
    Source(source): Source,
    Body(new): Body<NewSession>,
) -> Answer<(StatusCode, Json<SessionStarted>)> {
    let NewSession { mail, password, code } = new;
    let attempt = LogIn { mail, password: SecretString::from(password), code, source };
    let logged_in = core.log_in(attempt, SessionKind::Token).await?;
    let started = SessionStarted {
        token: logged_in.secret.reveal().to_owned(),
        expires_at: Moment(logged_in.expires_at),
        operator: logged_in.operator.into(),
    };
    Ok((StatusCode::CREATED, Json(started)))
}

/// Sign out
///
/// Ends the session of the token that comes with this request.
#[utoipa::path(
    delete, path = "/sessions/current", tag = "sessions", operation_id = "sign_out",
    responses((status = 204, description = "Signed out")),
)]
async fn sign_out(State(core): State<Core>, caller: Caller) -> Answer<StatusCode> {
    core.log_out(&caller.token).await?;
    Ok(StatusCode::NO_CONTENT)
}

/// Who is signed in, and where they work.
#[derive(Serialize, ToSchema)]
pub(super) struct Me {
    #[serde(flatten)]
    operator: Operator,
    /// The vendor's name.
    vendor: String,
}

/// Who am I
#[utoipa::path(
    get, path = "/me", tag = "sessions", operation_id = "show_me",
    responses((status = 200, description = "Who is signed in", body = Me)),
)]
async fn show_me(State(core): State<Core>, caller: Caller) -> Answer<Json<Me>> {
    let vendor = core.view(&caller.operator)?.vendor().await?;
    Ok(Json(Me { operator: caller.operator.into(), vendor: vendor.name }))
}
