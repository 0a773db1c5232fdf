//! The OpenAPI document: made from the handlers, then completed with what holds for all of them.

use utoipa::OpenApi;
use utoipa::openapi::content::Content;
use utoipa::openapi::header::Header;
use utoipa::openapi::path::{Operation, ParameterBuilder, ParameterIn};
use utoipa::openapi::schema::{ObjectBuilder, Ref, Type};
use utoipa::openapi::security::{HttpAuthScheme, HttpBuilder, SecurityScheme};
use utoipa::openapi::{Components, Required, ResponseBuilder};

use super::problem::ProblemBody;

#[derive(OpenApi)]
#[openapi(
    info(
        title = "inkan",
        description = "Certificates and trust stores of a vendor's clinics. Moments are RFC 3339 in UTC. A list answers \
                       with `items` and `next`; give `next` as `cursor` for the next page. Parameters and fields that \
                       are not known are refused by name. Refusals are problem details (RFC 9457).",
        license(name = "Apache-2.0 OR MIT"),
    ),
    components(schemas(ProblemBody)),
    security(("token" = [])),
)]
struct Document;

/// The document before any route has joined it.
pub(super) fn base() -> utoipa::openapi::OpenApi {
    let mut document = Document::openapi();
    let token = SecurityScheme::Http(HttpBuilder::new().scheme(HttpAuthScheme::Bearer).build());
    document.components.get_or_insert_with(Components::new).add_security_scheme("token", token);
    document
}

/// Adds what holds for every operation: how it refuses, and that a POST may carry an `Idempotency-Key`.
pub(super) fn complete(document: &mut utoipa::openapi::OpenApi) {
    for item in document.paths.paths.values_mut() {
        let operations = [&mut item.get, &mut item.post, &mut item.put, &mut item.patch, &mut item.delete];
        operations.into_iter().flatten().for_each(add_refusal);
        if let Some(post) = item.post.as_mut().filter(|post| !is_open(post)) {
            add_idempotency_key(post);
        }
    }
}

/// Whether an operation says that it needs no token.
fn is_open(operation: &Operation) -> bool {
    operation.operation_id.as_deref() == Some("sign_in")
}

fn add_refusal(operation: &mut Operation) {
    let problem = Content::builder().schema(Some(Ref::from_schema_name("Problem"))).build();
    let response = ResponseBuilder::new()
        .description("Refused")
        .content("application/problem+json", problem)
        .header("Request-Id", Header::new(ObjectBuilder::new().schema_type(Type::String).build()));
    operation.responses.responses.insert("default".to_owned(), response.build().into());
}

fn add_idempotency_key(operation: &mut Operation) {
    let text = ObjectBuilder::new().schema_type(Type::String).min_length(Some(1)).max_length(Some(128));
    let parameter = ParameterBuilder::new()
        .name("Idempotency-Key")
        .parameter_in(ParameterIn::Header)
        .required(Required::False)
        .description(Some(
            "A key of your own making. A repetition with the same key within a day takes no effect and gets the first \
             answer, with the header `Idempotency-Replayed: true`.",
        ))
        .schema(Some(text));
    operation.parameters.get_or_insert_with(Vec::new).push(parameter.build().into());
}
