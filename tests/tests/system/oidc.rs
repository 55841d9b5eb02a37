//! Tokens of an OpenID Connect provider: a real one over HTTP, with keys made here.

use std::{
    net::SocketAddr,
    sync::{Arc, LazyLock, Mutex, PoisonError},
};

use axum::{Json, Router, extract::State, http::StatusCode, response::IntoResponse, routing::get};
use hyper::Request;
use jiff::Timestamp;
use jsonwebtoken::{Algorithm, EncodingKey, Header, jwk::Jwk};
use p256::pkcs8::EncodePrivateKey;
use rsa::{
    RsaPrivateKey,
    pkcs1::EncodeRsaPrivateKey,
    pkcs8::{EncodePublicKey, LineEnding},
    rand_core::OsRng,
};
use serde_json::{Value, json};
use tests::{
    http::{Answer, Client},
    process::Server,
    world::{Actor, NOW, ORG, World, time},
};
use tokio::{net::TcpListener, task::JoinHandle};

static RSA: LazyLock<[RsaPrivateKey; 2]> = LazyLock::new(|| {
    let new = || RsaPrivateKey::new(&mut OsRng, 2_048).expect("a key");
    [new(), new()]
});

/// A key of the provider.
#[derive(Clone)]
struct Key {
    id: String,
    algorithm: Algorithm,
    signing: EncodingKey,
}

impl Key {
    fn rsa(id: &str, which: usize) -> Self {
        let der = RSA[which].to_pkcs1_der().expect("a key");
        Self { id: id.into(), algorithm: Algorithm::RS256, signing: EncodingKey::from_rsa_der(der.as_bytes()) }
    }

    fn ec(id: &str) -> Self {
        let der = p256::SecretKey::random(&mut OsRng).to_pkcs8_der().expect("a key");
        Self { id: id.into(), algorithm: Algorithm::ES256, signing: EncodingKey::from_ec_der(der.as_bytes()) }
    }

    fn ed(id: &str, seed: u8) -> Self {
        const PREFIX: [u8; 16] = [0x30, 0x2e, 2, 1, 0, 0x30, 5, 6, 3, 0x2b, 0x65, 0x70, 4, 0x22, 4, 0x20];
        let signing = EncodingKey::from_ed_der(&[&PREFIX[..], &[seed; 32]].concat());
        Self { id: id.into(), algorithm: Algorithm::EdDSA, signing }
    }

    fn public(&self) -> Value {
        let jwk = Jwk::from_encoding_key(&self.signing, self.algorithm).expect("a public key");
        let mut jwk = serde_json::to_value(jwk).expect("JSON");
        jwk["kid"] = json!(self.id);
        jwk["use"] = json!("sig");
        jwk
    }

    fn header(&self) -> Header {
        Header { kid: Some(self.id.clone()), ..Header::new(self.algorithm) }
    }

    fn sign(&self, claims: &Value) -> String {
        self.sign_as(&self.header(), claims)
    }

    fn sign_as(&self, header: &Header, claims: &Value) -> String {
        jsonwebtoken::encode(header, claims, &self.signing).expect("a token")
    }
}

#[derive(Default)]
struct Served {
    keys: Vec<Value>,
    issuer: String,
    down: bool,
    asked: usize,
}

/// A provider. Dropping it ends it.
struct Provider {
    address: SocketAddr,
    served: Arc<Mutex<Served>>,
    task: JoinHandle<()>,
}

impl Drop for Provider {
    fn drop(&mut self) {
        self.task.abort();
    }
}

impl Provider {
    async fn start(keys: &[&Key]) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.expect("a port");
        let address = listener.local_addr().expect("an address");
        let keys = keys.iter().map(|key| key.public()).collect();
        let served = Arc::new(Mutex::new(Served { keys, issuer: format!("http://{address}"), ..Served::default() }));
        let router = Router::new()
            .route("/.well-known/openid-configuration", get(discovery))
            .route("/keys", get(keys_of))
            .with_state(served.clone());
        let task = tokio::spawn(async move { axum::serve(listener, router).await.expect("it serves") });
        Self { address, served, task }
    }

    fn served(&self) -> std::sync::MutexGuard<'_, Served> {
        self.served.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn serve(&self, keys: &[&Key]) {
        self.served().keys = keys.iter().map(|key| key.public()).collect();
    }

    fn issuer(&self) -> String {
        format!("http://{}", self.address)
    }

    async fn world(&self) -> World {
        let issuer = self.issuer();
        World::start_with(|config| {
            config.oidc_issuer = Some(issuer);
            config.oidc_audience = Some("kith".into());
        })
        .await
    }

    fn claims(&self, now: Timestamp) -> Value {
        let second = now.as_second();
        json!({ "iss": self.issuer(), "aud": "kith", "sub": "olga", "org": ORG, "role": "auditor", "jti": "t1",
            "iat": second, "nbf": second, "exp": second + 3_600 })
    }

    fn with(&self, change: impl FnOnce(&mut Value)) -> Value {
        let mut claims = self.claims(time(NOW));
        change(&mut claims);
        claims
    }
}

async fn discovery(State(served): State<Arc<Mutex<Served>>>) -> impl IntoResponse {
    let served = served.lock().unwrap_or_else(PoisonError::into_inner);
    let status = if served.down { StatusCode::SERVICE_UNAVAILABLE } else { StatusCode::OK };
    (status, Json(json!({ "issuer": served.issuer, "jwks_uri": format!("{}/keys", served.issuer) })))
}

async fn keys_of(State(served): State<Arc<Mutex<Served>>>) -> impl IntoResponse {
    let mut served = served.lock().unwrap_or_else(PoisonError::into_inner);
    served.asked += 1;
    let status = if served.down { StatusCode::SERVICE_UNAVAILABLE } else { StatusCode::OK };
    (status, Json(json!({ "keys": served.keys })))
}

async fn asks(world: &World, token: &str) -> Answer {
    world.bearer(token).get("/v1/groups").await
}

async fn status(world: &World, token: &str) -> u16 {
    asks(world, token).await.status.as_u16()
}

#[tokio::test(flavor = "multi_thread")]
async fn tokens_signed_by_each_kind_of_key_open_the_door() {
    let keys = [Key::rsa("r", 0), Key::ec("e"), Key::ed("d", 5)];
    let provider = Provider::start(&keys.each_ref()).await;
    let world = provider.world().await;
    for key in &keys {
        asks(&world, &key.sign(&provider.claims(time(NOW)))).await.must(200);
        let listed = provider.with(|claims| claims["aud"] = json!(["other", "kith"]));
        asks(&world, &key.sign(&listed)).await.must(200);
        let early = provider.with(|claims| drop(claims.as_object_mut().expect("claims").remove("nbf")));
        asks(&world, &key.sign(&early)).await.must(200);
    }
    assert_eq!(provider.served().asked, 1, "keys are kept");
    let group = world.group().await;
    world.settle().await;
    let fay = provider.with(|claims| {
        claims["role"] = json!("facilitator");
        claims["groups"] = json!([group, "staff"]);
    });
    let shown = world.bearer(&keys[0].sign(&fay)).get(&format!("/v1/groups/{group}")).await;
    shown.must(200);
    // The built-in issuer goes on.
    world.admin().get("/v1/groups").await.must(200);
}

/// Everything that must not open the door, and why.
fn forgeries(provider: &Provider, rsa: &Key, ec: &Key) -> Vec<(&'static str, String)> {
    let good = provider.claims(time(NOW));
    let second = time(NOW).as_second();
    let with = |name: &'static str, value: Value| rsa.sign(&provider.with(|claims| claims[name] = value));
    let without = |name: &'static str| {
        rsa.sign(&provider.with(|claims| drop(claims.as_object_mut().expect("claims").remove(name))))
    };
    let stranger = Key::rsa("r", 1);
    let public = RSA[0].to_public_key();
    let (pem, der) = (public.to_public_key_pem(LineEnding::LF), public.to_public_key_der());
    let hs256 = |secret: &[u8]| {
        let key = Key { id: "r".into(), algorithm: Algorithm::HS256, signing: EncodingKey::from_secret(secret) };
        key.sign(&good)
    };
    let whole = rsa.sign(&good);
    let parts: Vec<_> = whole.split('.').collect();
    let as_ec = Key { id: "r".into(), ..ec.clone() }.sign(&good);
    let ec_head = as_ec.split('.').next().expect("a header").to_owned();
    let header = |change: fn(&mut Header)| {
        let mut header = rsa.header();
        change(&mut header);
        rsa.sign_as(&header, &good)
    };
    vec![
        ("expired", with("exp", json!(second - 31))),
        ("older than a day", with("iat", json!(second - 24 * 3_600 - 31))),
        ("not yet valid", with("nbf", json!(second + 31))),
        ("issued later", with("iat", json!(second + 31))),
        ("of another issuer", with("iss", json!("https://id.example"))),
        ("of several issuers", with("iss", json!([provider.issuer()]))),
        ("of almost this issuer", with("iss", json!(format!("{}/", provider.issuer())))),
        ("for another audience", with("aud", json!("console"))),
        ("for other audiences", with("aud", json!(["a", "b"]))),
        ("for no audience", without("aud")),
        ("of no issuer", without("iss")),
        ("without an end", without("exp")),
        ("of nobody", without("sub")),
        ("of an empty subject", with("sub", json!(""))),
        ("of no organisation", without("org")),
        ("of what is no organisation", with("org", json!("../south"))),
        ("without a role", without("role")),
        ("of an unknown role", with("role", json!("king"))),
        ("signed by an unknown key", Key { id: "x".into(), ..stranger.clone() }.sign(&good)),
        ("signed by another key of the same name", stranger.sign(&good)),
        ("not signed", format!("eyJhbGciOiJub25lIn0.{}.", parts[1])),
        ("not signed, with a signature", format!("eyJhbGciOiJub25lIn0.{}.{}", parts[1], parts[2])),
        ("signed with the public key as a secret, PEM", hs256(pem.expect("PEM").as_bytes())),
        ("signed with the public key as a secret, DER", hs256(der.expect("DER").as_bytes())),
        ("of the RSA key used as ES256", as_ec),
        ("relabelled as ES256", format!("{ec_head}.{}.{}", parts[1], parts[2])),
        ("PS256 of an RS256 key", header(|header| header.alg = Algorithm::PS256)),
        ("RS512 of an RS256 key", header(|header| header.alg = Algorithm::RS512)),
        ("with something critical", header(|header| header.crit = Some(vec!["exp".into()]))),
        ("with a key of its own", {
            let mut head = stranger.header();
            head.jwk = Some(serde_json::from_value(stranger.public()).expect("a key"));
            stranger.sign_as(&head, &good)
        }),
        ("of another kind", header(|header| header.typ = Some("logout+jwt".into()))),
        ("too long", with("more", json!("x".repeat(8_192)))),
        ("changed", format!("{}.{}x.{}", parts[0], parts[1], parts[2])),
        ("with no signature", format!("{}.{}.", parts[0], parts[1])),
        ("of five parts", format!("{whole}.a.b")),
        ("nothing", String::new()),
    ]
}

#[tokio::test(flavor = "multi_thread")]
async fn no_forgery_opens_the_door_and_every_refusal_is_the_same() {
    let (rsa, ec) = (Key::rsa("r", 0), Key::ec("e"));
    let provider = Provider::start(&[&rsa, &ec]).await;
    let world = provider.world().await;
    let good = rsa.sign(&provider.claims(time(NOW)));
    asks(&world, &good).await.must(200);
    let none = world.nobody().get("/v1/groups").await.must(401);
    let same = |what: &str, answer: Answer| {
        assert_eq!(answer.status, 401, "{what}");
        assert_eq!(answer.body, none.body, "{what}");
        let names = |answer: &Answer| answer.headers.keys().map(ToString::to_string).collect::<Vec<_>>();
        assert_eq!(names(&answer), names(&none), "{what}");
    };
    for (what, token) in forgeries(&provider, &rsa, &ec) {
        same(what, asks(&world, &token).await);
        asks(&world, &good).await.must(200);
    }
    let nobody = world.nobody();
    let in_query = Request::get(format!("/v1/groups?access_token={good}"));
    same("in the query", nobody.send(in_query, "").await);
    for other in [format!("Bearer {good}"), "Basic YTpi".into()] {
        let twice = Request::get("/v1/groups").header("authorization", format!("Bearer {good}"));
        same("two headers", nobody.send(twice.header("authorization", other), "").await);
    }
    assert!(provider.served().asked <= 2, "unknown keys are asked for once in a while only");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_new_key_is_found_and_an_old_one_is_forgotten_when_the_provider_changes_them() {
    let (old, new) = (Key::rsa("old", 0), Key::ec("new"));
    let provider = Provider::start(&[&old]).await;
    let world = provider.world().await;
    let at = |now: &str| provider.claims(time(now));
    let old_token = old.sign(&at(NOW));
    assert_eq!(status(&world, &old_token).await, 200);
    provider.serve(&[&old, &new]);
    let new_token = new.sign(&at(NOW));
    assert_eq!(status(&world, &new_token).await, 401, "the keys were fetched just now");
    world.set_time("2026-06-01T12:00:30Z");
    assert_eq!(status(&world, &new_token).await, 200, "half a minute later they may be fetched again");
    assert_eq!(status(&world, &old_token).await, 200);
    provider.serve(&[&new]);
    world.set_time("2026-06-01T12:05:30Z");
    assert_eq!(status(&world, &old_token).await, 200, "as long as keys are kept");
    world.set_time("2026-06-01T12:05:31Z");
    assert_eq!(status(&world, &old_token).await, 401, "and no longer, also if the token was known");
    assert_eq!(status(&world, &new_token).await, 200);
}

#[tokio::test(flavor = "multi_thread")]
async fn keys_are_used_for_a_day_while_the_provider_does_not_answer() {
    let key = Key::ed("d", 7);
    let provider = Provider::start(&[&key]).await;
    let world = provider.world().await;
    let token = |now: &str| key.sign(&provider.claims(time(now)));
    assert_eq!(status(&world, &token(NOW)).await, 200);
    provider.served().down = true;
    world.set_time("2026-06-02T12:00:00Z");
    assert_eq!(status(&world, &token("2026-06-02T12:00:00Z")).await, 200);
    world.set_time("2026-06-02T12:00:01Z");
    assert_eq!(status(&world, &token("2026-06-02T12:00:01Z")).await, 401);
    provider.served().down = false;
    world.set_time("2026-06-02T12:01:00Z");
    assert_eq!(status(&world, &token("2026-06-02T12:01:00Z")).await, 200);
    // Who says that they are somebody else is not believed.
    provider.served().issuer = "http://127.0.0.1:9".into();
    world.set_time("2026-06-03T12:02:00Z");
    assert_eq!(status(&world, &token("2026-06-03T12:02:00Z")).await, 401);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_provider_that_is_down_from_the_start_keeps_nobody_else_out() {
    let key = Key::ed("d", 7);
    let provider = Provider::start(&[&key]).await;
    provider.served().down = true;
    let world = provider.world().await;
    assert_eq!(status(&world, &key.sign(&provider.claims(time(NOW)))).await, 401);
    world.admin().get("/v1/groups").await.must(200);
}

#[tokio::test(flavor = "multi_thread")]
async fn tokens_of_a_provider_are_revoked_like_ours() {
    let key = Key::ed("d", 7);
    let provider = Provider::start(&[&key]).await;
    let world = provider.world().await;
    let token = |jti: &str, now: &str| {
        let mut claims = provider.claims(time(now));
        claims["jti"] = json!(jti);
        key.sign(&claims)
    };
    let (one, two) = (token("one", NOW), token("two", NOW));
    assert_eq!((status(&world, &one).await, status(&world, &two).await), (200, 200));
    world.admin().post("/v1/access/revocations", json!({ "jti": "one" })).await.must(204);
    assert_eq!((status(&world, &one).await, status(&world, &two).await), (401, 200));
    world.admin().post("/v1/access/revocations", json!({ "subject": "olga" })).await.must(204);
    assert_eq!(status(&world, &two).await, 401);
    // The provider's clock may be 30 seconds ahead of ours.
    world.set_time("2026-06-01T12:00:31Z");
    assert_eq!(status(&world, &token("ahead", "2026-06-01T12:00:30Z")).await, 401);
    assert_eq!(status(&world, &token("later", "2026-06-01T12:00:31Z")).await, 200);
}

#[tokio::test(flavor = "multi_thread")]
async fn the_built_in_issuer_can_be_turned_off_and_roles_can_have_other_names() {
    let key = Key::ec("e");
    let provider = Provider::start(&[&key]).await;
    let issuer = provider.issuer();
    let world = World::start_with(|config| {
        config.builtin_issuer = false;
        config.oidc_issuer = Some(issuer.clone());
        config.oidc_audience = Some("kith".into());
        config.oidc_jwks_url = Some(format!("{issuer}/keys"));
        config.oidc_role_claim = "/realm_access/roles".into();
        config.oidc_org_claim = "https://kith.example/org".into();
        config.oidc_role_map = [("Leitung".to_owned(), web::Role::Admin)].into();
    })
    .await;
    let claims = |roles: Value| {
        provider.with(|claims| {
            claims["https://kith.example/org"] = json!(ORG);
            claims["realm_access"] = json!({ "roles": roles });
        })
    };
    let admin: Actor = world.bearer(&key.sign(&claims(json!(["offline_access", "Leitung"]))));
    admin.programme("Recovery").await;
    assert_eq!(status(&world, &key.sign(&claims(json!(["admin"])))).await, 401, "their words, not ours");
    assert_eq!(status(&world, &world.admin().token()).await, 401);
}

#[tokio::test(flavor = "multi_thread")]
async fn no_token_is_logged_however_much_is_logged() {
    let (rsa, ec) = (Key::rsa("r", 0), Key::ec("e"));
    let provider = Provider::start(&[&rsa, &ec]).await;
    let dir = tempfile::tempdir().expect("a folder");
    let config = dir.path().join("kith.toml");
    let text = format!("oidc_issuer = \"{}\"\noidc_audience = \"kith\"\n", provider.issuer());
    std::fs::write(&config, text).expect("a file");
    let server = Server::start_with(
        &dir.path().join("data"),
        &["--log", "trace", "--config", config.to_str().expect("a path of our own")],
    );
    let good = rsa.sign(&provider.claims(kith::clock().now()));
    let mut tokens = vec![good.clone()];
    tokens.extend(forgeries(&provider, &rsa, &ec).into_iter().map(|(_, token)| token));
    let mut statuses = Vec::new();
    for token in &tokens {
        let answer = Client::new(server.address, token).get("/v1/groups", 0).await.expect("an answer");
        statuses.push(answer.status.as_u16());
    }
    assert_eq!(statuses[0], 200);
    assert!(statuses[1..].iter().all(|status| *status == 401), "{statuses:?}");
    let mut admin = server.client(ORG, web::Role::Admin);
    let body = json!({ "name": "export", "role": "auditor", "scopes": ["list_groups"],
        "expires_at": kith::clock().now() + jiff::SignedDuration::from_hours(1) });
    let made = admin.command(hyper::Method::POST, "/v1/access/clients", "k", &body).await.expect("an answer").must(201);
    let key = made.json()["key"].as_str().expect("a key").to_owned();
    Client::new(server.address, &*key).get("/v1/groups", 0).await.expect("an answer").must(200);
    tokens.push(key);
    let lines = server.lines();
    assert!(lines.len() > 100, "{} lines", lines.len());
    for token in tokens.iter().filter(|token| token.len() > 20) {
        // The payload and the signature; a header says nothing.
        let parts = token.split(['.', '_']).skip(1).filter(|part| part.len() > 20).chain([token.as_str()]);
        for part in parts {
            let found = lines.iter().find(|line| line.contains(part));
            assert_eq!(found, None, "{token}");
        }
    }
}
