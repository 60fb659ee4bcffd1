//! Verifies access tokens of stateless-auth, and follows its feed of what has ended. Copy this file; it needs jsonwebtoken, base64,
//! serde_json, sha2 and ureq. `Unavailable`: answer 503. `Refused`: answer 401, and do not say why.
use base64::{Engine, prelude::BASE64_URL_SAFE_NO_PAD as BASE64URL};
use jsonwebtoken::{Algorithm, DecodingKey, Validation, decode, jwk::Jwk};
use serde_json::{Map, Value};
use sha2::{Digest, Sha256};
use std::{collections::HashMap, error::Error, sync::*, thread, time::*};

#[derive(Debug)]
pub enum Failure {
    Refused,
    Unavailable,
}
use Failure::*;
impl<E: Error> From<E> for Failure {
    fn from(_: E) -> Self {
        Refused
    }
}
#[derive(Default, Clone)]
struct Keys {
    by_kid: HashMap<String, (Algorithm, DecodingKey)>,
    fetched_at: Option<Instant>,
    asked_at: Option<Instant>,
}
#[derive(Default, Clone)]
struct Feed {
    cursor: String,
    as_of: f64,
    heard_at: Option<Instant>,
    ended: HashMap<String, (f64, f64)>, // by kind and digest: until when, and below which value
}
pub struct Verifier {
    issuer: String,
    audience: String,
    max_staleness: f64,
    fetching: Mutex<()>,
    keys: RwLock<Arc<Keys>>, // this and the next are replaced as one: nobody waits, or sees half of it
    feed: RwLock<Arc<Feed>>,
}

impl Verifier {
    pub fn new(issuer: String, audience: String, max_staleness: f64) -> Arc<Self> {
        let it = Arc::new(Self {
            issuer,
            audience,
            max_staleness,
            fetching: Default::default(),
            keys: Default::default(),
            feed: Default::default(),
        });
        let follower = it.clone();
        thread::spawn(move || follower.follow());
        it
    }

    pub fn verify(&self, token: &str) -> Result<Map<String, Value>, Failure> {
        let header = token.split('.').next().filter(|_| token.len() <= 8192).ok_or(Refused)?;
        let header: Map<String, Value> = serde_json::from_slice(&BASE64URL.decode(header)?)?;
        if header.get("typ").is_none_or(|typ| typ != "at+jwt") || ["crit", "b64", "zip"].iter().any(|name| header.contains_key(*name)) {
            return Err(Refused); // jsonwebtoken looks at none of these (RFC 8725 3.11, RFC 7515 4.1.11)
        }
        let kid = header.get("kid").and_then(Value::as_str).ok_or(Refused)?;
        let (alg, key) = self.find_key(kid)?;
        let mut rules = Validation::new(alg); // what the key says, not the token (RFC 8725 3.1); leeway is 60 s
        rules.set_required_spec_claims(&["exp", "iss", "aud"]); // by default iss and aud are checked only where they are there
        rules.set_issuer(&[&self.issuer]);
        rules.set_audience(&[&self.audience]);
        rules.validate_nbf = true;
        let claims = decode::<Map<String, Value>>(token, &key, &rules)?.claims;
        if claims["iss"] != self.issuer.as_str() || !is_access(&claims) {
            return Err(Refused); // jsonwebtoken takes a list of issuers, and never looks at iat
        }
        let feed = self.feed.read()?.clone(); // too old by the database's time, or by a clock that nobody sets: what ended since?
        let stale = (now() - feed.as_of).max(age(feed.heard_at));
        if !(stale <= self.max_staleness) {
            return Err(Unavailable);
        }
        let ended = |kind: &str, value: &Value, than: f64| {
            let digest = Sha256::digest(format!("{kind}:{}", value.as_str().unwrap_or_default()));
            feed.ended.get(&format!("{kind}{}", BASE64URL.encode(&digest[..12]))).is_some_and(|(_, below)| *below > than)
        };
        let sid = claims.get("sid").is_some_and(|sid| ended("s", sid, -1.0));
        if sid || ended("j", &claims["jti"], -1.0) || ended("k", &kid.into(), -1.0) {
            return Err(Refused);
        }
        if ended("u", &claims["sub"], number(&claims, "ver")) || ended("a", &Value::Null, number(&claims, "iat")) {
            return Err(Refused);
        }
        Ok(claims)
    }

    fn find_key(&self, kid: &str) -> Result<(Algorithm, DecodingKey), Failure> {
        if !self.keys.read()?.by_kid.contains_key(kid) {
            self.load_keys(2.0);
        }
        let keys = self.keys.read()?.clone();
        match keys.by_kid.get(kid) {
            Some(key) if age(keys.fetched_at) < 86_400.0 => Ok(key.clone()),
            None if keys.fetched_at == keys.asked_at => Err(Refused),
            _ => Err(Unavailable),
        }
    }

    fn load_keys(&self, spacing: f64) {
        let _one = self.fetching.lock().unwrap(); // for whoever waits here too: tokens with invented kids, never good ones
        let mut keys = Keys::clone(&self.keys.read().unwrap());
        if age(keys.asked_at) < spacing {
            return;
        }
        let set = self.get("/.well-known/jwks.json", 5);
        keys.asked_at = Some(Instant::now());
        // Otherwise the old ones serve for a day, as long as the feed remembers a revoked key.
        if let Some(set) = set.ok().as_ref().and_then(|set| set["keys"].as_array()) {
            keys.by_kid = set.iter().filter_map(usable).collect();
            keys.fetched_at = keys.asked_at;
        }
        *self.keys.write().unwrap() = Arc::new(keys);
    }

    fn get(&self, path: &str, seconds: u64) -> Result<Value, ureq::Error> {
        let timeout = Some(Duration::from_secs(seconds));
        // Where a redirect leads is not the issuer.
        let request = ureq::get(format!("{}{path}", self.issuer)).config().timeout_global(timeout).max_redirects(0).build();
        request.call()?.body_mut().with_config().limit(1 << 27).read_json()
    }

    fn follow(&self) {
        let mut failures = 0;
        loop {
            self.load_keys(300.0);
            let old = self.feed.read().unwrap().clone();
            // One answer may be lost. After a failure how things stand is not to be held back.
            let wait = if failures > 0 { 0 } else { (self.max_staleness / 3.0).max(1.0) as u64 };
            let query = if old.cursor.is_empty() { String::new() } else { format!("?since={}&wait={wait}", old.cursor) };
            let answer = self.get(&format!("/v1/revocations{query}"), wait + 5);
            let cursor_is_foreign = matches!(answer, Err(ureq::Error::StatusCode(400)));
            match answer.ok().and_then(|answer| apply(&old, &answer)) {
                Some(feed) => (*self.feed.write().unwrap(), failures) = (Arc::new(feed), 0),
                None => failures += 1,
            }
            if cursor_is_foreign {
                *self.feed.write().unwrap() = Arc::new(Feed { cursor: String::new(), ..Feed::clone(&old) });
            }
            let jitter = 0.8 + 0.4 * f64::from(SystemTime::now().duration_since(UNIX_EPOCH).unwrap().subsec_nanos()) / 1e9;
            thread::sleep(Duration::from_secs_f64((0.5 * 2f64.powi(failures)).min(5.0) * jitter));
        }
    }
}

fn apply(old: &Feed, answer: &Value) -> Option<Feed> {
    let (as_of, full) = (answer["as_of"].as_f64().filter(|_| answer["v"] == 1)?, answer["full"].as_bool()?);
    let mut feed = Feed { cursor: answer["cursor"].as_str()?.into(), ..old.clone() };
    // A node that lags takes nothing away. What is over goes when both clocks say so: one that runs ahead must revive nothing.
    feed.ended.retain(|_, (expires_at, _)| !(full && as_of >= old.as_of) && *expires_at >= now().min(old.as_of));
    for entry in answer["e"].as_array()? {
        let (kind, id, expires_at) = (entry[0].as_str()?, entry[1].as_str()?, entry[2].as_f64()?);
        let known = feed.ended.entry(format!("{kind}{id}")).or_default();
        *known = (known.0.max(expires_at), known.1.max(entry[3].as_f64().unwrap_or_default()));
    }
    if as_of > old.as_of {
        (feed.as_of, feed.heard_at) = (as_of, Some(Instant::now()));
    }
    Some(feed)
}

fn usable(raw: &Value) -> Option<(String, (Algorithm, DecodingKey))> {
    let alg = raw["alg"].as_str()?.parse().ok().filter(|alg| [Algorithm::ES256, Algorithm::RS256].contains(alg))?;
    let key = DecodingKey::from_jwk(&serde_json::from_value::<Jwk>(raw.clone()).ok()?).ok()?;
    Some((raw["kid"].as_str()?.into(), (alg, key)))
}

/// A user's token has sid and roles; a service's own has nothing of a sign-in.
fn is_access(claims: &Map<String, Value>) -> bool {
    let text = |name| claims.get(name).and_then(Value::as_str).is_some_and(|value: &str| !value.is_empty());
    let id = |name| claims.get(name).and_then(Value::as_str).is_some_and(is_uuid);
    let instant = |name| (0.0..1e11).contains(&number(claims, name));
    let ver = claims.get("ver").and_then(Value::as_i64);
    let timely =
        instant("exp") && instant("iat") && number(claims, "iat") < now() + 60.0 && (!claims.contains_key("nbf") || instant("nbf"));
    let of_user = || id("sid") && claims.get("roles").and_then(Value::as_array).is_some_and(|roles| roles.iter().all(Value::is_string));
    let of_service = || {
        claims["sub"] == claims["client_id"]
            && ver == Some(0)
            && ["auth_time", "amr", "acr", "roles"].iter().all(|name| !claims.contains_key(*name))
    };
    timely
        && id("sub")
        && text("jti")
        && text("client_id")
        && text("scope")
        && ver.is_some()
        && if claims.contains_key("sid") { of_user() } else { of_service() }
}

fn is_uuid(text: &str) -> bool {
    let dashes = [8, 13, 18, 23];
    text.len() == 36
        && text
            .bytes()
            .enumerate()
            .all(|(at, byte)| if dashes.contains(&at) { byte == b'-' } else { matches!(byte, b'0'..=b'9' | b'a'..=b'f') })
}
fn number(claims: &Map<String, Value>, name: &str) -> f64 {
    claims.get(name).and_then(Value::as_f64).unwrap_or(f64::NAN)
}
fn age(at: Option<Instant>) -> f64 {
    at.map_or(f64::INFINITY, |at| at.elapsed().as_secs_f64())
}
fn now() -> f64 {
    SystemTime::now().duration_since(UNIX_EPOCH).unwrap().as_secs_f64()
}
