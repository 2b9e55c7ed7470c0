//! Accounts and sessions.

use std::time::Duration;

use serde_json::json;
use server::Config;

use crate::site::{ADMIN_PASSWORD, Answer, Ask, PASSWORD, Site, config, until};

#[tokio::test(flavor = "multi_thread")]
async fn a_member_registers_logs_in_and_out() {
    let site = Site::start().await;
    let ana = json!({ "name": "Ana", "password": PASSWORD });
    let made = site.post("/v1/accounts", None, &ana).await;
    assert_eq!(made.status, 201, "{made:?}");
    assert_eq!(made.json()["name"], "Ana");
    assert_eq!(made.json()["administrator"], false);

    let ana = json!({ "name": "ana", "password": PASSWORD });
    let opened = site.post("/v1/sessions", None, &ana).await;
    assert_eq!(opened.status, 201, "{opened:?}");
    assert_eq!(opened.json()["name"], "Ana");
    assert_eq!(opened.header("cache-control"), Some("no-store"));
    let token = opened.json()["token"].as_str().unwrap().to_owned();

    let current = site.get("/v1/sessions/current", Some(&token)).await;
    assert_eq!(current.status, 200);
    assert_eq!(current.json()["name"], "Ana");
    assert_eq!(current.json()["expires_at"], opened.json()["expires_at"]);

    assert_eq!(
        site.delete("/v1/sessions/current", Some(&token))
            .await
            .status,
        204
    );
    let after = site.get("/v1/sessions/current", Some(&token)).await;
    after.is_problem(401, "not-signed-in");
    site.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_name_is_taken_in_any_case_and_wrong_passwords_do_not_get_in() {
    let site = Site::start().await;
    site.member("ana").await;
    let again = json!({ "name": "ANA", "password": PASSWORD });
    site.post("/v1/accounts", None, &again)
        .await
        .is_problem(409, "taken");
    for (name, password) in [
        ("ana", "otra frase larga"),
        ("nadie", PASSWORD),
        ("!!", PASSWORD),
    ] {
        let body = json!({ "name": name, "password": password });
        site.post("/v1/sessions", None, &body)
            .await
            .is_problem(401, "wrong-credentials");
    }
    site.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn names_and_passwords_have_rules() {
    let site = Site::start().await;
    let long = "x".repeat(1025);
    for (name, password, field) in [
        ("", PASSWORD, "name"),
        ("a b", PASSWORD, "name"),
        ("'; DROP TABLE accounts; --", PASSWORD, "name"),
        ("ana", "corta", "password"),
        ("ana", long.as_str(), "password"),
    ] {
        let body = json!({ "name": name, "password": password });
        let refused = site
            .post("/v1/accounts", None, &body)
            .await
            .is_problem(422, "invalid");
        assert_eq!(refused["errors"][0]["field"], field, "{refused}");
    }
    site.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_session_expires() {
    let lifetime = Duration::from_secs(1);
    let site = Site::with(Config {
        session_lifetime: lifetime,
        ..config()
    })
    .await;
    let token = site.member("ana").await;
    until("the end of the session", || async {
        site.get("/v1/sessions/current", Some(&token)).await.status == 401
    })
    .await;
    let expired = site.get("/v1/areas", Some(&token)).await;
    expired.is_problem(401, "session-expired");
    assert!(
        expired
            .header("www-authenticate")
            .unwrap()
            .contains("invalid_token")
    );
    let write = site.delete("/v1/sessions", Some(&token)).await;
    write.is_problem(401, "session-expired");
    site.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn logging_out_everywhere_ends_every_session() {
    let site = Site::start().await;
    let first = site.member("ana").await;
    let second = site.log_in("ana", PASSWORD).await;
    assert_eq!(site.delete("/v1/sessions", Some(&first)).await.status, 204);
    for token in [first, second] {
        site.get("/v1/areas", Some(&token))
            .await
            .is_problem(401, "not-signed-in");
    }
    site.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_changed_password_ends_the_other_sessions() {
    let site = Site::start().await;
    let here = site.member("ana").await;
    let elsewhere = site.log_in("ana", PASSWORD).await;
    let path = "/v1/accounts/current/password";
    let wrong = json!({ "current_password": "no es esta", "new_password": "otra frase larga" });
    let refused = site
        .put(path, Some(&here), &wrong)
        .await
        .is_problem(422, "invalid");
    assert_eq!(refused["errors"][0]["field"], "current_password");
    let short = json!({ "current_password": PASSWORD, "new_password": "corta" });
    let refused = site
        .put(path, Some(&here), &short)
        .await
        .is_problem(422, "invalid");
    assert_eq!(refused["errors"][0]["field"], "new_password");

    let right = json!({ "current_password": PASSWORD, "new_password": "otra frase larga" });
    assert_eq!(site.put(path, Some(&here), &right).await.status, 204);
    assert_eq!(
        site.get("/v1/sessions/current", Some(&here)).await.status,
        200
    );
    site.get("/v1/sessions/current", Some(&elsewhere))
        .await
        .is_problem(401, "not-signed-in");
    site.log_in("ana", "otra frase larga").await;
    site.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn administrators_make_and_unmake_administrators() {
    let site = Site::start().await;
    let (ana, admin) = (site.member("ana").await, site.admin().await);
    let path = "/v1/accounts/ana/administrator";
    let put = |token: &str, path: &str| site.send(Ask::new("PUT", path).token(Some(token)));
    put(&ana, path).await.is_problem(403, "forbidden");
    put(&admin, "/v1/accounts/nadie/administrator")
        .await
        .is_problem(404, "not-found");
    put(&admin, "/v1/accounts/!/administrator")
        .await
        .is_problem(422, "invalid");
    assert_eq!(put(&admin, path).await.status, 204);
    assert_eq!(
        site.get("/v1/sessions/current", Some(&ana)).await.json()["administrator"],
        true
    );
    assert_eq!(
        site.delete("/v1/accounts/admin/administrator", Some(&ana))
            .await
            .status,
        204
    );
    site.delete(path, Some(&ana))
        .await
        .is_problem(409, "last-administrator");
    site.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn administrators_list_the_accounts_in_pages() {
    let site = Site::start().await;
    let ana = site.member("ana").await;
    site.member("luis").await;
    let admin = site.admin().await;
    site.get("/v1/accounts", Some(&ana))
        .await
        .is_problem(403, "forbidden");
    let first = site.get("/v1/accounts?limit=2", Some(&admin)).await.json();
    let names = |page: &serde_json::Value| -> Vec<String> {
        let accounts = page["accounts"].as_array().unwrap().iter();
        accounts
            .map(|account| account["name"].as_str().unwrap().to_owned())
            .collect()
    };
    assert_eq!(names(&first), ["admin", "ana"]);
    let next = first["next"].as_str().unwrap();
    let second = site
        .get(&format!("/v1/accounts?limit=2&after={next}"), Some(&admin))
        .await;
    assert_eq!(names(&second.json()), ["luis"]);
    assert!(second.json()["next"].is_null());
    site.stop().await;
}

/// Signs in from an address, as a trusted proxy tells it.
async fn sign_in_from(site: &Site, address: &str, name: &str, password: &str) -> Answer {
    let body = json!({ "name": name, "password": password });
    let ask = Ask::new("POST", "/v1/sessions").header("X-Forwarded-For", address);
    site.send(ask.json(&body)).await
}

#[tokio::test(flavor = "multi_thread")]
async fn guessing_at_a_name_from_elsewhere_keeps_its_member_out_of_nowhere() {
    let mut config = config();
    config.trust_forwarded_for = true;
    config.limits.login_failures_per_name_and_address = 2;
    config.limits.login_failures_per_name = 6;
    let site = Site::with(config).await;
    site.member("ana").await;
    let (home, wrong) = ("2001:db8::1", "adivina adivinanza");
    let at_home = sign_in_from(&site, home, "ana", PASSWORD).await;
    assert_eq!(at_home.status, 201, "{at_home:?}");
    for address in ["10.0.0.1", "10.0.0.2", "10.0.0.3"] {
        for _ in 0..2 {
            let guess = sign_in_from(&site, address, "ana", wrong).await;
            guess.is_problem(401, "wrong-credentials");
        }
    }
    for address in ["10.0.0.1", "10.0.0.4"] {
        let refused = sign_in_from(&site, address, "ana", PASSWORD).await;
        refused.is_problem(429, "too-many-attempts");
        let wait: u64 = refused.header("retry-after").unwrap().parse().unwrap();
        assert!((1..=300).contains(&wait), "{wait}");
    }
    // The same house by another of its addresses.
    let at_home = sign_in_from(&site, "2001:db8::2", "ana", PASSWORD).await;
    assert_eq!(at_home.status, 201, "{at_home:?}");
    site.log_in("admin", ADMIN_PASSWORD).await;
    site.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn accounts_are_not_made_in_bulk_from_one_address() {
    let mut config = config();
    config.trust_forwarded_for = true;
    config.limits.registrations_per_address = 2;
    let site = Site::with(config).await;
    let register = |address: &'static str, name: &str, password: &str| {
        let body = json!({ "name": name, "password": password });
        let ask = Ask::new("POST", "/v1/accounts").header("X-Forwarded-For", address);
        site.send(ask.json(&body))
    };
    for (name, password, status) in [
        ("a1", PASSWORD, 201),
        ("a2", "x", 422),
        ("a2", PASSWORD, 201),
    ] {
        let answer = register("1.2.3.4", name, password).await;
        assert_eq!(answer.status, status, "{answer:?}");
    }
    register("1.2.3.4", "a3", PASSWORD)
        .await
        .is_problem(429, "too-many-attempts");
    assert_eq!(register("5.6.7.8", "a3", PASSWORD).await.status, 201);
    // Looking for names that are taken uses the allowance up too.
    for _ in 0..2 {
        let taken = register("9.9.9.9", "a1", PASSWORD).await;
        taken.is_problem(409, "taken");
    }
    register("9.9.9.9", "a1", PASSWORD)
        .await
        .is_problem(429, "too-many-attempts");
    site.stop().await;
}

/// Registers a name with a request id; answers the status.
async fn register_once(site: &Site, name: &str, key: &str) -> u16 {
    let body = json!({ "name": name, "password": PASSWORD });
    let ask = Ask::new("POST", "/v1/accounts").key(key).json(&body);
    site.send(ask).await.status
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_sent_again_uses_up_no_allowance() {
    let mut config = config();
    config.limits.registrations_per_address = 3;
    let site = Site::with(config).await;
    for _ in 0..6 {
        assert_eq!(register_once(&site, "a1", "one").await, 201);
        assert_eq!(register_once(&site, "A1", "two").await, 409, "taken");
        assert_eq!(register_once(&site, "a2", "one").await, 409, "a conflict");
    }
    assert_eq!(register_once(&site, "a2", "three").await, 201);
    assert_eq!(register_once(&site, "a3", "four").await, 429);
    site.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_cluster_that_cannot_decide_uses_up_nobodys_allowance() {
    let mut config = config();
    config.limits.registrations_per_address = 2;
    let site = Site::with(config.clone()).await;
    let second = Site::node("n2", Some(&site), config).await;
    until("both vote", || async {
        let nodes = site.get("/v1/cluster", None).await.json();
        nodes["nodes"][1]["role"] == "follower"
    })
    .await;
    second.stop().await;
    until("the loss to be noticed", || async {
        site.get("/health/ready", None).await.status == 503
    })
    .await;
    for number in 0..4 {
        let (name, key) = (format!("a{number}"), format!("k{number}"));
        assert_eq!(register_once(&site, &name, &key).await, 503);
    }
    site.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn guessing_is_slowed_down_by_address_and_only_a_trusted_proxy_may_name_another() {
    let mut config = config();
    config.limits.login_failures_per_address = 2;
    config.trust_forwarded_for = true;
    let site = Site::with(config).await;
    site.member("ana").await;
    let attempt = |address: &'static str, name: &str| {
        let body = json!({ "name": name, "password": "adivina adivinanza" });
        let forwarded = format!("6.6.6.6, {address}");
        let ask = Ask::new("POST", "/v1/sessions").header("X-Forwarded-For", &forwarded);
        site.send(ask.json(&body))
    };
    for name in ["ana", "luis"] {
        attempt("1.2.3.4", name)
            .await
            .is_problem(401, "wrong-credentials");
    }
    attempt("1.2.3.4", "eva")
        .await
        .is_problem(429, "too-many-attempts");
    attempt("5.6.7.8", "eva")
        .await
        .is_problem(401, "wrong-credentials");
    site.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_retried_registration_makes_one_account() {
    let site = Site::start().await;
    let ana = json!({ "name": "ana", "password": PASSWORD });
    let register = |body| Ask::new("POST", "/v1/accounts").key("k-1").json(body);
    let first = site.send(register(&ana)).await;
    let second = site.send(register(&ana)).await;
    assert_eq!((first.status, second.status), (201, 201), "{second:?}");
    assert_eq!(first.json(), second.json());
    assert_eq!(first.header("idempotency-replayed"), None);
    assert_eq!(second.header("idempotency-replayed"), Some("true"));
    let luis = json!({ "name": "luis", "password": PASSWORD });
    site.send(register(&luis))
        .await
        .is_problem(409, "request-conflict");
    let other = json!({ "name": "ana", "password": "otra frase larga" });
    site.send(register(&other))
        .await
        .is_problem(409, "request-conflict");
    site.log_in("ana", PASSWORD).await;
    site.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_retried_registration_does_not_help_to_guess_a_password() {
    let mut config = config();
    config.limits.login_failures_per_name_and_address = 2;
    let site = Site::with(config).await;
    let register = |password: &str| {
        let body = json!({ "name": "ana", "password": password });
        Ask::new("POST", "/v1/accounts").key("k-1").json(&body)
    };
    assert_eq!(site.send(register(PASSWORD)).await.status, 201);
    for guess in ["adivina una", "adivina dos"] {
        let refused = site.send(register(guess)).await;
        refused.is_problem(409, "request-conflict");
    }
    let refused = site.send(register("adivina tres")).await;
    refused.is_problem(429, "too-many-attempts");
    site.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_token_that_does_not_count_is_told_from_none() {
    let site = Site::start().await;
    let (area, ana) = (site.area("Obras").await, site.member("ana").await);
    let over = site.log_in("ana", PASSWORD).await;
    site.delete("/v1/sessions/current", Some(&over)).await;
    let path = format!("/v1/areas/{area}/posts");
    let post = json!({ "title": "x", "text": "x" });
    let told = async |token: Option<&str>| {
        let (read, write) = (
            site.get(&path, token).await,
            site.post(&path, token, &post).await,
        );
        for answer in [&read, &write] {
            assert_eq!(
                answer.header("www-authenticate"),
                Some("Bearer realm=\"consorcio\"")
            );
        }
        [read, write].map(|answer| answer.is_problem(401, "not-signed-in")["detail"].to_string())
    };
    let last = if ana.ends_with('x') { 'y' } else { 'x' };
    let unknown = format!("{}{last}", &ana[..ana.len() - 1]);
    for token in [&*over, &*unknown, "nonsense"] {
        for detail in told(Some(token)).await {
            assert!(detail.contains("is over, or never was"), "{detail}");
        }
    }
    for detail in told(None).await {
        assert!(detail.contains("this needs a session"), "{detail}");
    }
    site.stop().await;
}
