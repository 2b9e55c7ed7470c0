//! Areas, subscriptions and posts.

use api::grpc::v1;
use api::grpc::v1::list_posts_request::Page as Listed;
use api::grpc::v1::mark_posts_request::Which as Marked;
use api::grpc::v1::news_server::News;
use domain::accounts::Member;
use domain::command::Which;
use domain::names::AreaName;
use domain::news::queries::{GetPost, ListAreas, ListPosts, Page};
use domain::news::search::Search;
use domain::{Action, Reply};
use engine::Served;

use crate::app::{App, Caller, odd_reply};
use crate::grpc::answer::{Answer, service};
use crate::grpc::render::news::{self, area_ref};
use crate::grpc::render::{before, fit, limit, not_negative, time};
use crate::problem::{Trouble, bad_name};

/// Posts in a page that asks for no number.
const PAGE_DEFAULT: u32 = 50;

/// Posts in the longest page.
const PAGE_MAX: u32 = 200;

/// Finds in a page that asks for no number.
const FOUND_DEFAULT: u32 = 20;

/// Finds in the longest page: of the longest posts, so many fit an answer.
const FOUND_MAX: u32 = 50;

service!(News {
    list_areas: v1::ListAreasRequest => v1::ListAreasResponse;
    get_area: v1::GetAreaRequest => v1::GetAreaResponse;
    add_area: v1::AddAreaRequest => v1::AddAreaResponse;
    edit_area: v1::EditAreaRequest => v1::EditAreaResponse;
    remove_area: v1::RemoveAreaRequest => v1::RemoveAreaResponse;
    subscribe: v1::SubscribeRequest => v1::SubscribeResponse;
    unsubscribe: v1::UnsubscribeRequest => v1::UnsubscribeResponse;
    list_posts: v1::ListPostsRequest => v1::ListPostsResponse;
    get_post: v1::GetPostRequest => v1::GetPostResponse;
    publish: v1::PublishRequest => v1::PublishResponse;
    delete_post: v1::DeletePostRequest => v1::DeletePostResponse;
    hide_post: v1::HidePostRequest => v1::HidePostResponse;
    mark_posts: v1::MarkPostsRequest => v1::MarkPostsResponse;
    search_posts: v1::SearchPostsRequest => v1::SearchPostsResponse;
});

async fn list_areas(
    app: &App,
    caller: &Caller,
    ask: v1::ListAreasRequest,
) -> Result<Answer<v1::ListAreasResponse>, Trouble> {
    let subscribed_only = ask.subscribed_only;
    let question = move |me: &Member| ListAreas {
        viewer: me.account,
        subscribed_only,
    };
    let Served {
        value: (_, areas),
        position,
    } = app.ask(caller, question).await?;
    let unread = areas.iter().map(|area| area.unread).sum();
    let areas = areas.into_iter().map(news::area).collect();
    Ok(Answer::at(
        position,
        v1::ListAreasResponse { areas, unread },
    ))
}

async fn get_area(
    app: &App,
    caller: &Caller,
    ask: v1::GetAreaRequest,
) -> Result<Answer<v1::GetAreaResponse>, Trouble> {
    let Served {
        value: (_, area),
        position,
    } = app.area(caller, &area_ref(ask.area)?).await?;
    let area = Some(news::area(area));
    Ok(Answer::at(position, v1::GetAreaResponse { area }))
}

async fn add_area(
    app: &App,
    caller: &Caller,
    ask: v1::AddAreaRequest,
) -> Result<Answer<v1::AddAreaResponse>, Trouble> {
    caller.token()?;
    let name = AreaName::parse(&ask.name).map_err(bad_name("name"))?;
    let action = Action::AddArea {
        name: name.clone(),
        description: ask.description,
    };
    let written = app.write(caller, action).await?;
    let Reply::Area { id } = written.reply else {
        return Err(odd_reply(&written.reply));
    };
    let name = name.as_str().to_owned();
    let made = v1::AddAreaResponse { id, name };
    Ok(Answer::at(written.position, made).replayed(written.replayed))
}

async fn edit_area(
    app: &App,
    caller: &Caller,
    ask: v1::EditAreaRequest,
) -> Result<Answer<v1::EditAreaResponse>, Trouble> {
    caller.token()?;
    let name = ask.name.as_deref().map(AreaName::parse);
    let action = Action::EditArea {
        name: name.transpose().map_err(bad_name("name"))?,
        area: app.area_id(caller, &area_ref(ask.area)?).await?,
        description: ask.description,
    };
    Ok(Answer::done(app.write(caller, action).await?))
}

async fn remove_area(
    app: &App,
    caller: &Caller,
    ask: v1::RemoveAreaRequest,
) -> Result<Answer<v1::RemoveAreaResponse>, Trouble> {
    let area = app.area_id(caller, &area_ref(ask.area)?).await?;
    let action = Action::RemoveArea { area };
    Ok(Answer::done(app.write(caller, action).await?))
}

async fn subscribe(
    app: &App,
    caller: &Caller,
    ask: v1::SubscribeRequest,
) -> Result<Answer<v1::SubscribeResponse>, Trouble> {
    let area = app.area_id(caller, &area_ref(ask.area)?).await?;
    let action = Action::Subscribe { area };
    Ok(Answer::done(app.write(caller, action).await?))
}

async fn unsubscribe(
    app: &App,
    caller: &Caller,
    ask: v1::UnsubscribeRequest,
) -> Result<Answer<v1::UnsubscribeResponse>, Trouble> {
    let area = app.area_id(caller, &area_ref(ask.area)?).await?;
    let action = Action::Unsubscribe { area };
    Ok(Answer::done(app.write(caller, action).await?))
}

async fn list_posts(
    app: &App,
    caller: &Caller,
    ask: v1::ListPostsRequest,
) -> Result<Answer<v1::ListPostsResponse>, Trouble> {
    caller.token()?;
    let (area, unread_only) = (area_ref(ask.area)?, ask.unread_only);
    let limit = limit(ask.limit, PAGE_DEFAULT, PAGE_MAX)?;
    let page = match ask.page {
        None => Page::After(0),
        Some(Listed::After(after)) => Page::After(not_negative("after", after)?),
        Some(Listed::Before(number)) => Page::Before(before(number)?),
    };
    let which = area.clone();
    let question = move |me: &Member| ListPosts {
        viewer: me.account,
        area: area.clone(),
        unread_only,
        page,
        limit,
    };
    let Served {
        value: (_, found),
        position,
    } = app.ask(caller, question).await?;
    let found = found.ok_or_else(|| Trouble::no_area(&which))?;
    app.agent.count(found.area.id);
    let posts = found.posts.into_iter().map(news::post);
    let (posts, next) = fit(posts, found.next, |post| post.id);
    Ok(Answer::at(position, v1::ListPostsResponse { posts, next }))
}

async fn get_post(
    app: &App,
    caller: &Caller,
    ask: v1::GetPostRequest,
) -> Result<Answer<v1::GetPostResponse>, Trouble> {
    let (area, post) = (area_ref(ask.area)?, ask.post);
    let question = move |me: &Member| GetPost {
        viewer: me.account,
        area: area.clone(),
        post,
    };
    let Served {
        value: (_, found),
        position,
    } = app.ask(caller, question).await?;
    let post = found.ok_or_else(|| Trouble::missing("post", post))?;
    app.agent.count(post.area);
    let post = Some(news::post(post));
    Ok(Answer::at(position, v1::GetPostResponse { post }))
}

async fn publish(
    app: &App,
    caller: &Caller,
    ask: v1::PublishRequest,
) -> Result<Answer<v1::PublishResponse>, Trouble> {
    let area = app.area_id(caller, &area_ref(ask.area)?).await?;
    let v1::PublishRequest { title, text, .. } = ask;
    let action = Action::Publish { area, title, text };
    let written = app.write(caller, action).await?;
    let Reply::Post { id, at_ms } = written.reply else {
        return Err(odd_reply(&written.reply));
    };
    let at = time(at_ms);
    let made = v1::PublishResponse { id, area, at };
    Ok(Answer::at(written.position, made).replayed(written.replayed))
}

async fn delete_post(
    app: &App,
    caller: &Caller,
    ask: v1::DeletePostRequest,
) -> Result<Answer<v1::DeletePostResponse>, Trouble> {
    let area = app.area_id(caller, &area_ref(ask.area)?).await?;
    let action = Action::DeletePost {
        area,
        post: ask.post,
    };
    Ok(Answer::done(app.write(caller, action).await?))
}

async fn hide_post(
    app: &App,
    caller: &Caller,
    ask: v1::HidePostRequest,
) -> Result<Answer<v1::HidePostResponse>, Trouble> {
    let area = app.area_id(caller, &area_ref(ask.area)?).await?;
    let action = Action::HidePost {
        area,
        post: ask.post,
        reason: ask.reason,
    };
    Ok(Answer::done(app.write(caller, action).await?))
}

async fn mark_posts(
    app: &App,
    caller: &Caller,
    ask: v1::MarkPostsRequest,
) -> Result<Answer<v1::MarkPostsResponse>, Trouble> {
    caller.token()?;
    let which = match ask.which {
        Some(Marked::Post(post)) => Which::One(post),
        Some(Marked::UpTo(post)) => Which::UpTo(post),
        Some(Marked::All(true)) => Which::All,
        Some(Marked::All(false)) => return Err(Trouble::field("all", "it can only be true")),
        None => {
            let reason = "exactly one of post, up_to and all must be given";
            return Err(Trouble::field("post", reason));
        }
    };
    let area = app.area_id(caller, &area_ref(ask.area)?).await?;
    let read = !ask.unread;
    let action = Action::Mark { area, which, read };
    let written = app.write(caller, action).await?;
    let Reply::Unread { count: unread } = written.reply else {
        return Err(odd_reply(&written.reply));
    };
    let left = v1::MarkPostsResponse { unread };
    Ok(Answer::at(written.position, left).replayed(written.replayed))
}

async fn search_posts(
    app: &App,
    caller: &Caller,
    ask: v1::SearchPostsRequest,
) -> Result<Answer<v1::SearchPostsResponse>, Trouble> {
    caller.token()?;
    let limit = limit(ask.limit, FOUND_DEFAULT, FOUND_MAX)?;
    let (before, text) = (before(ask.before)?, ask.query);
    if text.is_empty() {
        return Err(Trouble::field("query", "say what to look for"));
    }
    let question = move |me: &Member| Search {
        viewer: me.account,
        text: text.clone(),
        before,
        limit,
    };
    let Served {
        value: (_, found),
        position,
    } = app.ask(caller, question).await?;
    let shown = |(area_name, post)| v1::FoundPost {
        area_name,
        post: Some(news::post(post)),
    };
    let posts = found.posts.into_iter().map(shown).collect();
    let next = found.next;
    Ok(Answer::at(
        position,
        v1::SearchPostsResponse { posts, next },
    ))
}
