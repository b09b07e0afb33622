//! Coming in: links, passwords, codes, tokens; and not coming in.

use std::time::Duration;

use axum::body::Body;
use axum::http::{HeaderMap, Method, Request, StatusCode};
use center::accounts::{NewPerson, NewToken, Tokens};
use http_body_util::BodyExt;
use serde_json::Value;
use tower::ServiceExt;
use types::{Caller, Permission, Permissions, Role};

use super::doors::{Gateway, OWNER, OWNER_PASSWORD, from, gateway};

/// What came back.
pub(crate) struct Answer {
    pub(crate) status: StatusCode,
    pub(crate) headers: HeaderMap,
    pub(crate) text: String,
}

impl Answer {
    pub(crate) fn location(&self) -> &str {
        self.headers.get("location").map_or("", |to| to.to_str().unwrap())
    }

    fn problem(&self) -> Value {
        assert_eq!(self.headers["content-type"], "application/problem+json", "{}", self.text);
        serde_json::from_str(&self.text).unwrap()
    }

    /// The value of the field `csrf` of the page's first form.
    pub(crate) fn csrf(&self) -> String {
        let rest = self.text.split("name=\"csrf\" value=\"").nth(1).expect("a form");
        rest.split('"').next().unwrap().to_owned()
    }
}

/// A browser: keeps cookies, sends forms as pages of ours would.
pub(crate) struct Browser<'a> {
    pub(crate) gateway: &'a Gateway,
    pub(crate) cookies: std::collections::BTreeMap<String, String>,
    /// Fields of every request.
    pub(crate) fields: Vec<(&'static str, String)>,
    /// Where its connections come from.
    pub(crate) peer: &'static str,
}

impl<'a> Browser<'a> {
    pub(crate) fn new(gateway: &'a Gateway) -> Self {
        let fields =
            vec![("host", "localhost:8080".to_owned()), ("accept", "text/html".to_owned())];
        Browser { gateway, cookies: Default::default(), fields, peer: "127.0.0.1" }
    }

    pub(crate) async fn send(
        &mut self,
        method: Method,
        path: &str,
        more: &[(&str, &str)],
        body: String,
    ) -> Answer {
        let mut request = Request::builder().method(method).uri(path);
        request = request.extension(from(self.peer));
        for (name, value) in &self.fields {
            request = request.header(*name, value);
        }
        for (name, value) in more {
            request = request.header(*name, *value);
        }
        let cookies: Vec<String> = self.cookies.iter().map(|(n, v)| format!("{n}={v}")).collect();
        if !cookies.is_empty() {
            request = request.header("cookie", cookies.join("; "));
        }
        let router = self.gateway.api.console_router();
        let response = router.oneshot(request.body(Body::from(body)).unwrap()).await.unwrap();
        let (parts, body) = response.into_parts();
        for cookie in parts.headers.get_all("set-cookie") {
            let cookie = cookie.to_str().unwrap();
            let (name, value) = cookie.split(';').next().unwrap().split_once('=').unwrap();
            match cookie.contains("Max-Age=0") {
                true => self.cookies.remove(name),
                false => self.cookies.insert(name.to_owned(), value.to_owned()),
            };
        }
        let octets = body.collect().await.unwrap().to_bytes();
        let text = String::from_utf8_lossy(&octets).into_owned();
        Answer { status: parts.status, headers: parts.headers, text }
    }

    pub(crate) async fn get(&mut self, path: &str) -> Answer {
        self.send(Method::GET, path, &[], String::new()).await
    }

    pub(crate) async fn post(&mut self, path: &str, form: &[(&str, &str)]) -> Answer {
        let fields: Vec<String> =
            form.iter().map(|(n, v)| format!("{n}={}", api::client::encoded(v))).collect();
        let kind = [("content-type", "application/x-www-form-urlencoded")];
        self.send(Method::POST, path, &kind, fields.join("&")).await
    }

    pub(crate) async fn sign_in(&mut self, name: &str, password: &str) -> Answer {
        let csrf = self.get("/sign-in").await.csrf();
        let form = [("csrf", &*csrf), ("name", name), ("password", password), ("next", "/me")];
        self.post("/sign-in", &form).await
    }
}

fn viewer(gateway: &Gateway) -> Browser<'_> {
    let machine = Caller::with_all("root");
    let person = NewPerson {
        name: "vera".into(),
        role: Role::Viewer.into(),
        domains: Vec::new(),
        groups: Vec::new(),
    };
    gateway.accounts.add_account(&machine, &person).unwrap();
    gateway.accounts.set_password(&machine, "vera", "quiet harbour lamp", Tokens::Keep).unwrap();
    Browser::new(gateway)
}

#[tokio::test]
async fn the_first_link_makes_an_owner_once() {
    let gateway = super::doors::empty_gateway();
    let link = gateway.accounts.first_link().unwrap().unwrap();
    let path = format!("/set-up/{}", link.reveal());
    let mut browser = Browser::new(&gateway);
    let page = browser.get(&path).await;
    assert!(page.status == StatusCode::OK && page.text.contains("autocomplete=\"new-password\""));
    let csrf = page.csrf();
    let form = |password: &'static str, again: &'static str| {
        [
            ("csrf", csrf.clone()),
            ("name", "Ana".to_owned()),
            ("password", password.to_owned()),
            ("again", again.to_owned()),
        ]
    };
    for (password, again, fault) in [
        ("short", "short", "at least 12 characters"),
        ("long enough words", "other words here", "two passwords differ"),
    ] {
        let form = form(password, again);
        let fields: Vec<(&str, &str)> = form.iter().map(|(n, v)| (*n, v.as_str())).collect();
        let refused = browser.post(&path, &fields).await;
        assert_eq!(refused.status, StatusCode::UNPROCESSABLE_ENTITY);
        assert!(refused.text.contains(fault) && refused.text.contains("role=\"alert\""), "{fault}");
    }
    let form = form("long enough words", "long enough words");
    let fields: Vec<(&str, &str)> = form.iter().map(|(n, v)| (*n, v.as_str())).collect();
    let done = browser.post(&path, &fields).await;
    assert_eq!((done.status, done.location()), (StatusCode::SEE_OTHER, "/"));
    let me = browser.get("/me").await;
    assert!(me.text.contains("<strong>ana</strong>, Owner"), "{}", me.text);
    let used = Browser::new(&gateway).get(&path).await;
    assert_eq!(used.status, StatusCode::GONE, "it works once");
    assert!(gateway.accounts.first_link().unwrap().is_none(), "and is not made again");
}

#[tokio::test]
async fn a_link_ends_after_a_day_and_is_replaced_by_the_next() {
    let gateway = super::doors::empty_gateway();
    let old = gateway.accounts.first_link().unwrap().unwrap();
    let new = gateway.accounts.first_link().unwrap().unwrap();
    let mut browser = Browser::new(&gateway);
    let status = async |browser: &mut Browser<'_>, link: &str| {
        browser.get(&format!("/set-up/{link}")).await.status
    };
    assert_eq!(status(&mut browser, old.reveal()).await, StatusCode::GONE);
    assert_eq!(status(&mut browser, new.reveal()).await, StatusCode::OK);
    gateway.clock.advance(Duration::from_secs(24 * 3_600));
    assert_eq!(status(&mut browser, new.reveal()).await, StatusCode::GONE);
    assert_eq!(status(&mut browser, "guessed").await, StatusCode::GONE);
}

#[tokio::test]
async fn a_page_leads_to_the_sign_in_and_back() {
    let gateway = gateway();
    let mut browser = Browser::new(&gateway);
    let sent = browser.get("/messages?q=a%20b").await;
    assert_eq!(sent.status, StatusCode::SEE_OTHER);
    assert_eq!(sent.location(), "/sign-in?next=%2Fmessages%3Fq%3Da%2520b");
    let page = browser.get(sent.location()).await;
    assert!(page.text.contains("autocomplete=\"current-password\""));
    assert!(page.text.contains("name=\"next\" value=\"/messages?q=a%20b\""), "{}", page.text);
    let csrf = page.csrf();
    for (next, to) in [("//evil.example", "/"), ("/messages?q=a%20b", "/messages?q=a%20b")] {
        let form =
            [("csrf", &*csrf), ("name", OWNER), ("password", OWNER_PASSWORD), ("next", next)];
        let mut browser = Browser { cookies: browser.cookies.clone(), ..Browser::new(&gateway) };
        let inside = browser.post("/sign-in", &form).await;
        assert_eq!((inside.status, inside.location()), (StatusCode::SEE_OTHER, to));
        assert!(browser.cookies.contains_key("session-8080"), "{:?}", browser.cookies);
        assert_eq!(browser.get("/messages").await.status, StatusCode::OK);
    }
    let script = [("sec-fetch-dest", "empty")];
    let answer =
        Browser::new(&gateway).send(Method::GET, "/messages", &script, String::new()).await;
    assert_eq!(answer.status, StatusCode::UNAUTHORIZED, "a script is told, not sent elsewhere");
    assert_eq!(answer.headers["www-authenticate"], "Bearer");
    let answer = browser.get("/api/v1/attempts").await;
    assert_eq!(
        (answer.status, &answer.problem()["type"]),
        (StatusCode::UNAUTHORIZED, &Value::from("sign_in"))
    );
}

#[tokio::test]
async fn cookies_are_bound_to_the_host_behind_https() {
    let gateway = gateway();
    let api = gateway.api.clone().behind(&["127.0.0.1/32".parse().unwrap()]);
    let gateway = Gateway { api, ..gateway };
    let mut browser = Browser::new(&gateway);
    browser.fields = vec![
        ("host", "127.0.0.1:8080".to_owned()),
        ("x-forwarded-for", "192.0.2.7".to_owned()),
        ("x-forwarded-proto", "https".to_owned()),
        ("x-forwarded-host", "gate.corp.example".to_owned()),
        ("origin", "https://gate.corp.example".to_owned()),
    ];
    let inside = browser.sign_in(OWNER, OWNER_PASSWORD).await;
    assert_eq!(inside.status, StatusCode::SEE_OTHER, "{}", inside.text);
    let cookies: Vec<&str> =
        inside.headers.get_all("set-cookie").iter().map(|c| c.to_str().unwrap()).collect();
    let session = cookies.iter().find(|cookie| cookie.starts_with("__Host-session=")).unwrap();
    assert!(session.ends_with("; Path=/; HttpOnly; SameSite=Lax; Secure"), "{session}");
    assert!(inside.headers.contains_key("strict-transport-security"));
    assert!(browser.get("/me").await.text.contains("192.0.2.7"), "the address the proxy names");
}

#[tokio::test]
async fn guessing_takes_longer_and_longer() {
    let gateway = gateway();
    let mut browser = Browser::new(&gateway);
    for _ in 0..9 {
        let refused = browser.sign_in(OWNER, "wrong wrong wrong").await;
        assert_eq!(refused.status, StatusCode::UNAUTHORIZED);
        assert!(refused.text.contains("The name or the password is wrong."));
    }
    let refused = browser.sign_in(OWNER, OWNER_PASSWORD).await;
    assert_eq!(refused.status, StatusCode::TOO_MANY_REQUESTS, "even with the right one");
    assert_eq!(refused.headers["retry-after"], "2");
    assert!(refused.text.contains("try again in 1 s"), "{}", refused.text);
    gateway.clock.advance(Duration::from_secs(1));
    assert_eq!(browser.sign_in(OWNER, OWNER_PASSWORD).await.status, StatusCode::SEE_OTHER);
    let nobody = Browser::new(&gateway).sign_in("nobody", "wrong wrong wrong").await;
    assert!(nobody.text.contains("The name or the password is wrong."), "unknown names as well");
}

#[tokio::test]
async fn forged_requests_change_nothing() {
    let gateway = gateway();
    let mut browser = Browser::new(&gateway);
    browser.sign_in(OWNER, OWNER_PASSWORD).await;
    let csrf = browser.get("/me").await.csrf();
    let form = |csrf: &str| format!("csrf={csrf}&session=others");
    let kind = ("content-type", "application/x-www-form-urlencoded");
    for (fields, body) in [
        (vec![kind], String::from("session=others")),
        (vec![kind], form("")),
        (vec![kind], form(&"0".repeat(csrf.len()))),
        (vec![("content-type", "text/plain")], form(&csrf)),
        (vec![kind, ("origin", "https://evil.example")], form(&csrf)),
        (vec![kind, ("origin", "null")], form(&csrf)),
        (vec![kind, ("origin", "http://localhost:9090")], form(&csrf)),
        (vec![kind, ("sec-fetch-site", "cross-site")], form(&csrf)),
        (vec![kind, ("sec-fetch-site", "same-site")], form(&csrf)),
        (vec![kind, ("x-csrf-token", "no")], form(&csrf)),
    ] {
        let answer = browser.send(Method::POST, "/me/sessions", &fields, body.clone()).await;
        assert_eq!(answer.status, StatusCode::FORBIDDEN, "{fields:?} {body}");
    }
    let ours = [kind, ("origin", "http://localhost:8080"), ("sec-fetch-site", "same-origin")];
    let answer = browser.send(Method::POST, "/me/sessions", &ours, form(&csrf)).await;
    assert_eq!((answer.status, answer.location()), (StatusCode::SEE_OTHER, "/me?done=sessions"));
    let json = [("content-type", "application/json"), ("x-csrf-token", &*csrf)];
    let body = String::from("{\"text\": \"nothing\"}");
    let answer = browser.send(Method::POST, "/api/v1/greylist/pass", &json, body.clone()).await;
    assert_eq!(answer.status, StatusCode::OK, "{}", answer.text);
    let answer = browser.send(Method::POST, "/api/v1/greylist/pass", &json[..1], body).await;
    assert_eq!(answer.status, StatusCode::FORBIDDEN);
    let strange = Browser::new(&gateway)
        .post("/sign-in", &[("name", OWNER), ("password", OWNER_PASSWORD)])
        .await;
    assert_eq!(strange.status, StatusCode::FORBIDDEN, "nobody is signed in by another page");
}

#[tokio::test]
async fn a_missing_permission_is_named_with_who_can_grant_it() {
    let gateway = gateway();
    let mut browser = viewer(&gateway);
    browser.sign_in("VERA ", "quiet harbour lamp").await;
    assert_eq!(browser.get("/messages").await.status, StatusCode::OK);
    let answer = browser.get("/api/v1/daily-logs").await;
    assert_eq!(answer.status, StatusCode::FORBIDDEN);
    let problem = answer.problem();
    let detail = problem["detail"].as_str().unwrap();
    assert!(detail.contains("vera lacks the permission daily_logs"), "{detail}");
    assert!(detail.ends_with("an owner can grant it: owner"), "{detail}");
    let csrf = browser.get("/me").await.csrf();
    let page = browser.post("/me/tokens", &[("csrf", &csrf), ("name", "x"), ("ends", "30")]).await;
    assert_eq!(page.status, StatusCode::FORBIDDEN);
    assert!(page.text.contains("<h1") && page.text.contains("manage_tokens"), "{}", page.text);
}

#[tokio::test]
async fn codes_are_asked_for_and_work_once() {
    let gateway = gateway();
    let mut browser = Browser::new(&gateway);
    browser.sign_in(OWNER, OWNER_PASSWORD).await;
    let asked = browser.get("/me/codes").await;
    assert!(!asked.text.contains("otpauth:") && !asked.text.contains("Key:"), "{}", asked.text);
    let csrf = asked.csrf();
    let prove = |password| [("csrf", csrf.as_str()), ("password", password)];
    let refused = browser.post("/me/codes/begin", &prove("not it at all")).await;
    assert_eq!(refused.status, StatusCode::UNPROCESSABLE_ENTITY);
    assert!(
        refused.text.contains("not the present password") && !refused.text.contains("otpauth:")
    );
    let page = browser.post("/me/codes/begin", &prove(OWNER_PASSWORD)).await;
    assert!(
        page.text.contains("<svg class=\"qr\"")
            && page.text.contains("otpauth://totp/Portcullis:owner?")
    );
    let key = page.text.split("Key: <code class=\"wrap\">").nth(1).unwrap();
    let key: String = key.split('<').next().unwrap().chars().filter(|c| *c != ' ').collect();
    let code = |gateway: &Gateway| {
        let secret = totp_rs::Secret::try_from_base32(&key).unwrap();
        let totp = totp_rs::Builder::new().with_secret(secret).build().unwrap();
        let seconds = u64::try_from(gateway.accounts.now().as_millis() / 1_000).unwrap();
        totp.generate(seconds).to_string()
    };
    let csrf = page.csrf();
    let wrong = browser.post("/me/codes", &[("csrf", &csrf), ("code", "000000")]).await;
    assert!(
        wrong.status == StatusCode::UNPROCESSABLE_ENTITY && wrong.text.contains("does not fit")
    );
    assert!(!wrong.text.contains("Key:"), "the key is shown once");
    let on = browser.post("/me/codes", &[("csrf", &csrf), ("code", &code(&gateway))]).await;
    assert!(on.text.contains("Codes are on"), "{}", on.text);
    let recovery =
        on.text.split("<li><code>").nth(1).unwrap().split('<').next().unwrap().to_owned();
    let mut other = Browser::new(&gateway);
    let half = other.sign_in(OWNER, OWNER_PASSWORD).await;
    assert_eq!(half.location(), "/sign-in/code?next=%2Fme");
    assert_eq!(other.get("/me").await.status, StatusCode::SEE_OTHER, "not signed in yet");
    let page = other.get(half.location()).await;
    assert!(page.text.contains("autocomplete=\"one-time-code\""));
    let csrf = page.csrf();
    let used = code(&gateway);
    let again = other.post("/sign-in/code", &[("csrf", &csrf), ("code", &used)]).await;
    assert_eq!(again.status, StatusCode::UNAUTHORIZED, "the code of the enrolment was used");
    gateway.clock.advance(Duration::from_secs(30));
    let fresh = code(&gateway);
    let inside =
        other.post("/sign-in/code", &[("csrf", &csrf), ("code", &fresh), ("next", "/me")]).await;
    assert_eq!(inside.location(), "/me", "{}", inside.text);
    let mut third = Browser::new(&gateway);
    for (code, status) in
        [(recovery.as_str(), StatusCode::SEE_OTHER), (recovery.as_str(), StatusCode::UNAUTHORIZED)]
    {
        third.cookies.clear();
        third.sign_in(OWNER, OWNER_PASSWORD).await;
        let csrf = third.get("/sign-in/code").await.csrf();
        let answer = third.post("/sign-in/code", &[("csrf", &csrf), ("code", code)]).await;
        assert_eq!(answer.status, status);
    }
}

#[tokio::test]
async fn a_session_ends_by_sign_out_by_idleness_and_at_its_end() {
    let gateway = gateway();
    let mut browser = Browser::new(&gateway);
    browser.sign_in(OWNER, OWNER_PASSWORD).await;
    let stolen = browser.cookies.clone();
    let csrf = browser.get("/me").await.csrf();
    let out = browser.post("/sign-out", &[("csrf", &csrf)]).await;
    assert_eq!(out.location(), "/signed-out");
    let mut thief = Browser { cookies: stolen, ..Browser::new(&gateway) };
    assert_eq!(
        thief.get("/me").await.status,
        StatusCode::SEE_OTHER,
        "the session is over here too"
    );
    browser.sign_in(OWNER, OWNER_PASSWORD).await;
    gateway.clock.advance(Duration::from_secs(12 * 3_600 - 1));
    assert_eq!(browser.get("/me").await.status, StatusCode::OK);
    gateway.clock.advance(Duration::from_secs(12 * 3_600));
    assert_eq!(browser.get("/me").await.status, StatusCode::SEE_OTHER, "idle");
    browser.sign_in(OWNER, OWNER_PASSWORD).await;
    for _ in 0..13 {
        gateway.clock.advance(Duration::from_secs(12 * 3_600 - 1));
        assert_eq!(browser.get("/me").await.status, StatusCode::OK);
    }
    gateway.clock.advance(Duration::from_secs(12 * 3_600 - 1));
    assert_eq!(browser.get("/me").await.status, StatusCode::OK);
    gateway.clock.advance(Duration::from_secs(14));
    assert_eq!(browser.get("/me").await.status, StatusCode::SEE_OTHER, "a week at most");
}

#[tokio::test]
async fn a_new_password_ends_the_other_sessions() {
    let gateway = gateway();
    let (mut here, mut there) = (Browser::new(&gateway), Browser::new(&gateway));
    here.sign_in(OWNER, OWNER_PASSWORD).await;
    there.sign_in(OWNER, OWNER_PASSWORD).await;
    let csrf = here.get("/me").await.csrf();
    let new = "lantern river stone";
    let form = |present, tokens| {
        [
            ("csrf", csrf.as_str()),
            ("present", present),
            ("new", new),
            ("again", new),
            ("tokens", tokens),
        ]
    };
    let refused = here.post("/me/password", &form("not it at all", "keep")).await;
    assert!(refused.text.contains("This is not the present password."), "{}", refused.text);
    let unsaid = here.post("/me/password", &form(OWNER_PASSWORD, "keep")[..4]).await;
    assert!(unsaid.text.contains("Say whether your tokens go on working."), "{}", unsaid.text);
    let done = here.post("/me/password", &form(OWNER_PASSWORD, "revoke")).await;
    assert_eq!(done.location(), "/me?done=password", "{}", done.text);
    assert_eq!(here.get("/me").await.status, StatusCode::OK);
    assert_eq!(there.get("/me").await.status, StatusCode::SEE_OTHER);
    assert!(gateway.accounts.token(&gateway.token, [127, 0, 0, 1].into()).is_err(), "revoked");
    assert_eq!(there.sign_in(OWNER, OWNER_PASSWORD).await.status, StatusCode::UNAUTHORIZED);
    assert_eq!(there.sign_in(OWNER, new).await.status, StatusCode::SEE_OTHER);
}

#[tokio::test]
async fn preferences_are_kept_and_checked() {
    let gateway = gateway();
    let mut browser = Browser::new(&gateway);
    browser.sign_in(OWNER, OWNER_PASSWORD).await;
    let csrf = browser.get("/me").await.csrf();
    let form = |zone| {
        [
            ("csrf", csrf.as_str()),
            ("theme", "dark"),
            ("density", "compact"),
            ("time_zone", zone),
            ("columns", "time, from"),
        ]
    };
    let refused = browser.post("/me/preferences", &form("Mars/Base")).await;
    assert!(refused.text.contains("No time zone of this name is known"), "{}", refused.text);
    let done = browser.post("/me/preferences", &form("Europe/Berlin")).await;
    let page = browser.get(done.location()).await;
    assert!(
        page.text.contains("data-theme=\"dark\"") && page.text.contains("data-shortcuts=\"off\"")
    );
    assert!(
        page.text.contains("value=\"Europe/Berlin\"") && page.text.contains("value=\"time, from\"")
    );
}

#[tokio::test]
async fn tokens_may_what_they_were_given_from_where_until_when() {
    let gateway = gateway();
    let machine = Caller::with_all("root");
    let new = NewToken {
        name: "grafana".into(),
        account: Some(OWNER.into()),
        permissions: Permissions::from(vec![Permission::SystemStatus]),
        networks: vec!["192.0.2.0/24".parse().unwrap()],
        expires: Some(gateway.accounts.now() + Duration::from_secs(60)),
    };
    let made = gateway.accounts.add_token(&machine, &new).unwrap();
    let api = gateway.api.clone().behind(&["127.0.0.1/32".parse().unwrap()]);
    let gateway = Gateway { api, ..gateway };
    let ask = async |path: &str, secret: &str, from: &str| {
        let mut program = Browser::new(&gateway);
        program.fields.push(("authorization", format!("Bearer {secret}")));
        program.fields.push(("x-forwarded-for", from.to_owned()));
        program.fields.push(("x-forwarded-proto", "https".to_owned()));
        program.get(path).await
    };
    let secret = made.secret.as_str();
    assert_eq!(ask("/api/v1/status", secret, "192.0.2.9").await.status, StatusCode::OK);
    assert_eq!(ask("/api/v1/attempts", secret, "192.0.2.9").await.status, StatusCode::FORBIDDEN);
    for (secret, from, why) in [
        (secret, "198.51.100.1", "may not be used from"),
        ("portcullis_guessed", "192.0.2.9", "not known"),
        ("", "192.0.2.9", "not known"),
    ] {
        let answer = ask("/api/v1/status", secret, from).await;
        assert_eq!(answer.status, StatusCode::UNAUTHORIZED);
        assert!(answer.problem()["detail"].as_str().unwrap().contains(why), "{}", answer.text);
    }
    gateway.clock.advance(Duration::from_secs(60));
    let answer = ask("/api/v1/status", secret, "192.0.2.9").await;
    assert!(answer.problem()["detail"].as_str().unwrap().contains("ended at"), "{}", answer.text);
}

#[tokio::test]
async fn the_demos_link_signs_in_who_types_it_and_nobody_else() {
    let gateway = gateway();
    let demo = gateway.accounts.demo(&Caller::with_all("demo")).unwrap();
    let path = format!("/sign-in/link/{}", demo.link.reveal());
    let typed = [("sec-fetch-site", "none"), ("sec-fetch-mode", "navigate")];
    let looked = Browser::new(&gateway).get(&path).await;
    assert!(
        looked.status == StatusCode::OK && looked.text.contains("Sign in as demo"),
        "a scanner uses nothing up"
    );
    let head = Browser::new(&gateway).send(Method::HEAD, &path, &typed, String::new()).await;
    assert!(
        head.headers
            .get("set-cookie")
            .is_none_or(|cookie| !cookie.to_str().unwrap().starts_with("session"))
    );
    let mut person = Browser::new(&gateway);
    let inside = person.send(Method::GET, &path, &typed, String::new()).await;
    assert_eq!((inside.status, inside.location()), (StatusCode::SEE_OTHER, "/"));
    assert_eq!(person.get("/messages").await.status, StatusCode::OK);
    assert_eq!(person.get(&path).await.location(), "/", "who is in stays in");
    assert_eq!(Browser::new(&gateway).get(&path).await.status, StatusCode::GONE);
    let mut later = Browser::new(&gateway);
    let inside = later.sign_in(&demo.name, demo.password.reveal()).await;
    assert_eq!(inside.status, StatusCode::SEE_OTHER);
}
