//! One protected route: GET /private. ISSUER, AUDIENCE, PORT, MAX_STALENESS (seconds) come from the environment.
mod verifier;

use std::{env, sync::Arc, thread};
use tiny_http::{Header, Request, Response, Server};
use verifier::{Failure, Verifier};

fn main() {
    let setting = |name: &str| env::var(name).unwrap_or_else(|_| panic!("{name} is not set"));
    let staleness = env::var("MAX_STALENESS").map_or(30.0, |seconds| seconds.parse().expect("MAX_STALENESS"));
    let verifier = Verifier::new(setting("ISSUER"), setting("AUDIENCE"), staleness);
    let server = Arc::new(Server::http(format!("127.0.0.1:{}", env::var("PORT").unwrap_or("8000".into()))).unwrap());
    println!("listening on http://{}", server.server_addr());
    let serve = |_| {
        let (server, verifier) = (server.clone(), verifier.clone());
        thread::spawn(move || server.incoming_requests().for_each(|request| answer(&verifier, request)))
    };
    (0..32).map(serve).collect::<Vec<_>>().into_iter().for_each(|worker| worker.join().unwrap());
}

fn answer(verifier: &Verifier, request: Request) {
    let (status, header, body) = match (request.url(), bearer(&request)) {
        ("/private", Some(token)) => match verifier.verify(&token) {
            Ok(claims) => (200, "Content-Type: application/json", serde_json::json!({ "sub": claims["sub"] }).to_string()),
            Err(Failure::Refused) => (401, "WWW-Authenticate: Bearer error=\"invalid_token\"", String::new()),
            Err(Failure::Unavailable) => (503, "Retry-After: 2", String::new()),
        },
        ("/private", None) => (401, "WWW-Authenticate: Bearer", String::new()),
        _ => (404, "Cache-Control: no-store", String::new()),
    };
    let response = Response::from_string(body).with_status_code(status).with_header(header.parse::<Header>().unwrap());
    request.respond(response.with_header("Cache-Control: no-store".parse::<Header>().unwrap())).ok();
}

/// Of two headers a gateway may have looked at the other one (RFC 6750 2).
fn bearer(request: &Request) -> Option<String> {
    let mut given = request.headers().iter().filter(|header| header.field.equiv("Authorization"));
    let (value, None) = (given.next()?.value.as_str(), given.next()) else { return None };
    let (scheme, token) = value.split_once(' ')?;
    (scheme.eq_ignore_ascii_case("bearer") && token.bytes().all(|byte| byte.is_ascii_graphic())).then(|| token.into())
}
