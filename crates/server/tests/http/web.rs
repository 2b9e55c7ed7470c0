//! The pages, as a browser without scripts sees them.

use crate::site::{Answer, Ask, PASSWORD, Site, config};

/// A browser without scripts: it keeps cookies and says where it comes from.
pub struct Browser<'a> {
    site: &'a Site,
    pub cookies: Vec<(String, String)>,
    language: &'static str,
}

impl<'a> Browser<'a> {
    pub fn new(site: &'a Site) -> Self {
        Browser {
            site,
            cookies: Vec::new(),
            language: "es",
        }
    }

    pub async fn signed_in(site: &'a Site, name: &str, password: &str) -> Self {
        let mut browser = Self::new(site);
        let body = format!("name={name}&password={}&then=", password.replace(' ', "+"));
        let answer = browser.post("/sign-in", &body).await;
        assert_eq!(
            (answer.status, answer.header("location")),
            (303, Some("/")),
            "{answer:?}"
        );
        browser
    }

    pub fn ask(&self, method: &str, path: &str) -> Ask {
        let pairs: Vec<String> = self
            .cookies
            .iter()
            .map(|(k, v)| format!("{k}={v}"))
            .collect();
        Ask::new(method, path)
            .header("Accept", "text/html,*/*")
            .header("Accept-Language", self.language)
            .header("Cookie", &pairs.join("; "))
    }

    pub async fn get(&mut self, path: &str) -> Answer {
        let answer = self.site.send(self.ask("GET", path)).await;
        self.keep_cookies(&answer);
        answer
    }

    pub async fn post(&mut self, path: &str, form: &str) -> Answer {
        let ask = self
            .ask("POST", path)
            .header("Origin", "http://localhost")
            .form(form);
        let answer = self.site.send(ask).await;
        self.keep_cookies(&answer);
        answer
    }

    fn keep_cookies(&mut self, answer: &Answer) {
        for (_, cookie) in answer
            .headers
            .iter()
            .filter(|(name, _)| name == "set-cookie")
        {
            assert!(cookie.contains("; Path=/"), "{cookie}");
            let (name, value) = cookie.split(';').next().unwrap().split_once('=').unwrap();
            self.cookies.retain(|(kept, _)| kept != name);
            if !value.is_empty() {
                self.cookies.push((name.to_owned(), value.to_owned()));
            }
        }
    }
}

/// The value of a hidden field.
pub fn hidden(page: &str, name: &str) -> String {
    let field = format!("name=\"{name}\" value=\"");
    let (_, rest) = page.split_once(&field).unwrap();
    rest.split('"').next().unwrap().to_owned()
}

/// What every page must be: in a language, titled, with one first heading, a label for every
/// field, and nothing that the content security policy would stop.
#[track_caller]
pub fn is_a_good_page(answer: &Answer, language: &str) {
    let page = answer.text();
    assert!(
        answer
            .header("content-type")
            .unwrap()
            .starts_with("text/html"),
        "{page}"
    );
    assert!(page.starts_with("<!DOCTYPE html>"), "{page}");
    assert!(
        page.contains(&format!("<html lang=\"{language}\">")),
        "{page}"
    );
    assert_eq!(page.matches("<h1>").count(), 1, "{page}");
    assert!(
        !page.contains("<title></title>") && page.contains("<title>"),
        "{page}"
    );
    assert!(
        page.contains("href=\"#main\"") && page.contains("id=\"main\""),
        "{page}"
    );
    for bad in [
        " style=",
        " onclick=",
        "<script>",
        "javascript:",
        "http-equiv",
    ] {
        assert!(!page.contains(bad), "{bad} in {page}");
    }
    for field in page
        .split("<input ")
        .skip(1)
        .chain(page.split("<textarea ").skip(1))
    {
        let field = field.split('>').next().unwrap();
        if field.contains("type=\"hidden\"") {
            continue;
        }
        let id = field
            .split("id=\"")
            .nth(1)
            .unwrap()
            .split('"')
            .next()
            .unwrap();
        assert!(
            page.contains(&format!("for=\"{id}\"")),
            "no label for {id} in {page}"
        );
    }
    let policy = answer.header("content-security-policy").unwrap();
    assert!(
        policy.contains("default-src 'none'") && !policy.contains("unsafe"),
        "{policy}"
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn a_visitor_signs_up_writes_reads_and_leaves() {
    let site = Site::start().await;
    site.area("Obras").await;
    let mut ana = Browser::new(&site);
    let home = ana.get("/").await;
    assert_eq!(
        (home.status, home.header("location")),
        (303, Some("/sign-in?then=%2F"))
    );
    is_a_good_page(&ana.get("/sign-in").await, "es");
    is_a_good_page(&ana.get("/sign-up").await, "es");
    let form = "name=ana&password=una+frase+larga";
    let in_now = ana.post("/sign-up", form).await;
    assert_eq!(
        (in_now.status, in_now.header("location")),
        (303, Some("/")),
        "{in_now:?}"
    );

    let write = ana.get("/areas/Obras/write").await;
    is_a_good_page(&write, "es");
    let id = hidden(write.text(), "request");
    let form = format!("request={id}&title=Agua+%26+luz&text=**Corte**%0D%0A%0D%0A<script>");
    let made = ana.post("/areas/1/posts", &form).await;
    assert_eq!(
        made.header("location"),
        Some("/areas/1/posts/1"),
        "{made:?}"
    );
    let again = ana.post("/areas/1/posts", &form).await;
    assert_eq!(
        again.header("location"),
        Some("/areas/1/posts/1"),
        "sent twice, made once"
    );
    let other = ana
        .post("/areas/1/posts", &form.replace("Agua", "Gas"))
        .await;
    assert_eq!(other.status, 409);
    is_a_good_page(&other, "es");

    let post = ana.get("/areas/1/posts/1").await;
    is_a_good_page(&post, "es");
    assert!(
        post.text().contains("<h1>Agua &amp; luz</h1>"),
        "{}",
        post.text()
    );
    assert!(
        post.text().contains("<strong>Corte</strong>"),
        "{}",
        post.text()
    );
    assert!(post.text().contains("&lt;script&gt;"), "{}", post.text());
    for path in [
        "/",
        "/areas/1",
        "/areas/1?unread=true",
        "/search?q=agua",
        "/account",
        "/cluster",
    ] {
        let page = ana.get(path).await;
        assert_eq!(page.status, 200, "{path}");
        is_a_good_page(&page, "es");
    }
    let control = ana.get("/cluster").await;
    let control = control.text();
    for said in [
        "Elecciones, según n1",
        "n1 dirige: se fundó el clúster",
        "Votó a",
    ] {
        assert!(control.contains(said), "{said} is missing: {control}");
    }
    assert_eq!(ana.post("/areas/1/posts/1/delete", "").await.status, 303);
    assert!(
        ana.get("/areas/1")
            .await
            .text()
            .contains("Borrado por quien lo escribió")
    );
    let out = ana.post("/sign-out", "").await;
    assert_eq!(out.header("location"), Some("/sign-in"));
    assert_eq!(ana.get("/areas/1").await.status, 303);
    site.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn reading_marks_read_and_it_can_be_undone() {
    let site = Site::start().await;
    let (area, luis) = (site.area("Obras").await, site.member("luis").await);
    site.publish(&luis, area, "uno").await;
    site.publish(&luis, area, "dos").await;
    site.member("ana").await;
    let mut ana = Browser::signed_in(&site, "ana", PASSWORD).await;
    assert!(ana.get("/").await.text().contains("2 sin leer"));
    ana.get("/areas/1/posts/1").await;
    assert!(ana.get("/").await.text().contains("1 sin leer"));
    let unread = ana.get("/areas/1?unread=true").await;
    assert!(unread.text().contains("dos") && !unread.text().contains("posts/1\""));
    ana.post("/areas/1/posts/1/unread", "").await;
    assert!(ana.get("/").await.text().contains("2 sin leer"));
    ana.post("/areas/1/read", "").await;
    assert!(!ana.get("/").await.text().contains("sin leer"));
    ana.post("/areas/1/subscription", "follow=true").await;
    assert!(ana.get("/").await.text().contains("Estás al día."));
    ana.post("/areas/1/subscription", "follow=false").await;
    assert!(!ana.get("/").await.text().contains("Estás al día."));
    site.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn forms_come_back_with_what_was_typed_and_what_is_wrong() {
    let site = Site::start().await;
    site.area("Obras").await;
    site.member("ana").await;
    let mut visitor = Browser::new(&site);
    let wrong = visitor
        .post("/sign-in", "name=an%22a&password=nada&then=/areas/1")
        .await;
    assert_eq!(wrong.status, 401);
    is_a_good_page(&wrong, "es");
    assert!(
        wrong.text().contains("value=\"an&quot;a\""),
        "{}",
        wrong.text()
    );
    assert!(wrong.text().contains("no son correctos") && !wrong.text().contains("value=\"nada\""));
    let short = visitor.post("/sign-up", "name=eva&password=corta").await;
    assert_eq!(short.status, 422);
    assert!(
        short
            .text()
            .contains("Contraseña: tiene que tener al menos 8 letras.")
    );
    let mut ana = Browser::signed_in(&site, "ana", PASSWORD).await;
    let empty = ana
        .post("/areas/1/posts", "request=ab&title=&text=Lo+escrito")
        .await;
    assert_eq!(empty.status, 422);
    is_a_good_page(&empty, "es");
    assert!(
        empty.text().contains("Título: no puede quedar vacío."),
        "{}",
        empty.text()
    );
    assert!(
        empty.text().contains("Lo escrito</textarea>"),
        "{}",
        empty.text()
    );
    for (path, status) in [
        ("/nada", 404),
        ("/areas/99", 404),
        ("/areas/1/posts/9", 404),
    ] {
        let page = ana.get(path).await;
        assert_eq!(page.status, status, "{path}");
        is_a_good_page(&page, "es");
    }
    assert_eq!(ana.get("/members").await.status, 403);
    assert_eq!(ana.get("/areas/new").await.status, 403);
    assert_eq!(ana.post("/cluster/token", "").await.status, 403);
    site.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn administrators_look_after_areas_members_and_nodes() {
    let site = Site::start().await;
    site.member("ana").await;
    let mut admin = Browser::signed_in(&site, "admin", crate::site::ADMIN_PASSWORD).await;
    let form = admin.get("/areas/new").await;
    is_a_good_page(&form, "es");
    let id = hidden(form.text(), "request");
    let made = admin
        .post(
            "/areas",
            &format!("request={id}&name=Obras&description=Ruidos"),
        )
        .await;
    assert_eq!(made.status, 303, "{made:?}");
    is_a_good_page(&admin.get("/areas/1/edit").await, "es");
    let taken = admin
        .post("/areas", "request=cd&name=OBRAS&description=")
        .await;
    assert_eq!(taken.status, 409);
    assert!(taken.text().contains("ya está cogido"), "{}", taken.text());
    assert_eq!(
        admin
            .post("/areas/1", "name=Arreglos&description=")
            .await
            .status,
        303
    );
    assert!(
        admin
            .get("/areas/1")
            .await
            .text()
            .contains("<h1>Arreglos</h1>")
    );
    is_a_good_page(&admin.get("/members").await, "es");
    assert_eq!(
        admin
            .post("/members", "name=ana&administrator=true")
            .await
            .status,
        303
    );
    assert_eq!(
        admin
            .post("/members", "name=ana&administrator=false")
            .await
            .status,
        303
    );
    let last = admin
        .post("/members", "name=admin&administrator=false")
        .await;
    assert_eq!(last.status, 409);
    is_a_good_page(&last, "es");
    let token = admin.post("/cluster/token", "").await;
    assert!(token.text().contains("consorcio://"), "{}", token.text());
    for what in ["remove", "rebuild"] {
        let path = format!("/cluster/nodes/{what}");
        let gone = admin.post(&path, "name=n9").await;
        assert_eq!(gone.status, 404);
        is_a_good_page(&gone, "es");
    }
    assert_eq!(admin.post("/areas/1/remove", "").await.status, 303);
    assert_eq!(admin.get("/areas/1").await.status, 404);
    site.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn pages_speak_the_readers_language() {
    let site = Site::start().await;
    let mut visitor = Browser::new(&site);
    visitor.language = "en-GB, es;q=0.5";
    is_a_good_page(&visitor.get("/sign-in").await, "en");
    let chosen = visitor.post("/language", "language=es&then=/sign-up").await;
    assert_eq!(chosen.header("location"), Some("/sign-up"));
    is_a_good_page(&visitor.get("/sign-up").await, "es");
    visitor
        .post("/language", "language=en&then=https://x")
        .await;
    let page = visitor.get("/sign-up").await;
    is_a_good_page(&page, "en");
    assert!(page.text().contains("Sign up"));
    site.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn the_account_page_changes_the_password_and_makes_a_feed() {
    let site = Site::start().await;
    site.member("ana").await;
    let mut ana = Browser::signed_in(&site, "ana", PASSWORD).await;
    let wrong = ana.post(
        "/account/password",
        "current_password=x&new_password=otra+frase+larga",
    );
    let wrong = wrong.await;
    assert_eq!(wrong.status, 422);
    assert!(
        wrong.text().contains("Contraseña actual: no es la tuya."),
        "{}",
        wrong.text()
    );
    let form = "current_password=una+frase+larga&new_password=otra+frase+larga";
    let changed = ana.post("/account/password", form).await;
    assert_eq!(changed.status, 200, "{changed:?}");
    site.log_in("ana", "otra frase larga").await;
    let feed = ana.post("/account/feed", "").await;
    let (_, rest) = feed
        .text()
        .split_once("href=\"http://localhost/feeds/")
        .unwrap();
    let path = format!("/feeds/{}", rest.split('"').next().unwrap());
    assert_eq!(site.get(&path, None).await.status, 200);
    assert_eq!(
        ana.post("/account/sign-out-everywhere", "").await.status,
        303
    );
    assert_eq!(ana.get("/account").await.status, 303);
    site.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn the_demonstration_is_made_once_however_often_it_is_asked_for() {
    let config = server::Config {
        demo: true,
        ..config()
    };
    let site = Site::with(config.clone()).await;
    let both = tokio::join!(
        server::demo(&site.engine, &config),
        server::demo(&site.engine, &config)
    );
    assert_eq!(both, (Ok(()), Ok(())));
    server::demo(&site.engine, &config).await.unwrap();
    let token = site.log_in("marta", "vecindario").await;
    let areas = site.get("/v1/areas", Some(&token)).await.json();
    let areas = areas["areas"].as_array().unwrap().clone();
    let posts: i64 = areas
        .iter()
        .map(|area| area["posts"].as_i64().unwrap())
        .sum();
    assert_eq!((areas.len(), posts), (6, 26), "27 and one hidden");
    let all = site
        .get("/v1/areas/Avisos/posts", Some(&token))
        .await
        .json();
    let times: Vec<&str> = all["posts"]
        .as_array()
        .unwrap()
        .iter()
        .map(|post| post["at"].as_str().unwrap())
        .collect();
    assert!(times.is_sorted(), "{times:?}");
    let mut visitor = Browser::new(&site);
    assert!(visitor.get("/sign-in").await.text().contains("vecindario"));
    site.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn assets_are_served_with_their_types() {
    let site = Site::start().await;
    for (path, kind) in [
        ("/assets/style.css", "text/css"),
        ("/assets/live.js", "text/javascript"),
        ("/assets/icon.svg", "image/svg+xml"),
    ] {
        let asset = site.get(path, None).await;
        assert_eq!(asset.status, 200, "{path}");
        assert!(
            asset.header("content-type").unwrap().starts_with(kind),
            "{path}"
        );
        assert!(
            asset.header("cache-control").unwrap().contains("max-age"),
            "{path}"
        );
    }
    site.stop().await;
}
