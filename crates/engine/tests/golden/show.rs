//! How answers read in a script.

use domain::accounts::{Account, Credentials, Member, Standing};
use domain::news::queries::{Area, Body, Counts, Events, Found, Post, Posts};
use domain::{Event, Outcome, Reply, Topic};

use crate::files;
use crate::lottery;

/// When the stories begin: 2026-01-01T00:00:00Z.
pub const START_MS: i64 = 1_767_225_600_000;

pub fn outcome(outcome: &Outcome) -> String {
    let again = if outcome.replayed { " (again)" } else { "" };
    let mut text = match &outcome.result {
        Ok(reply) => format!("{}{again}\n", self::reply(reply)),
        Err(rejection) => format!("rejected: {rejection:?}{again}\n"),
    };
    if let Some(event) = &outcome.event {
        text.push_str(&format!("event {}", self::event(event)));
    }
    text
}

fn reply(reply: &Reply) -> String {
    match reply {
        Reply::Done => "done".to_owned(),
        Reply::Account { id } => format!("account {id}"),
        Reply::Session {
            account,
            expires_at_ms,
        } => {
            format!(
                "session of account {account} until {}",
                time(*expires_at_ms)
            )
        }
        Reply::Area { id } => format!("area {id}"),
        Reply::Post { id, at_ms } => format!("post {id} at {}", time(*at_ms)),
        Reply::Unread { count } => format!("{count} unread"),
        Reply::Store(executed) => crate::keys::executed(executed),
        Reply::LotteryOpened { .. }
        | Reply::BetsStored { .. }
        | Reply::AgencyClosed { .. }
        | Reply::Drawn { .. } => lottery::reply(reply),
        Reply::Poll { id } => format!("poll {id}"),
        Reply::File { .. } => files::reply(reply),
        Reply::ListCounted { counted, refused } => format!("{counted} counted, {refused} refused"),
        Reply::Ballot {
            at_ms,
            changed,
            weight,
            leaf,
        } => {
            let what = if *changed { "changed" } else { "cast" };
            let (at, leaf) = (time(*at_ms), hex(leaf));
            format!("ballot {what} at {at}, weight {weight}, leaf {leaf}")
        }
    }
}

fn event(event: &Event) -> String {
    let about = match &event.topic {
        Topic::AreaAdded { area, name }
        | Topic::AreaEdited { area, name }
        | Topic::AreaRemoved { area, name } => format!("area {area} {name:?}"),
        Topic::PostPublished {
            area,
            post,
            title,
            author,
        } => {
            format!("area {area} post {post} {:?} by {author}", short(title))
        }
        Topic::PostRemoved { area, post, hidden } => {
            format!(
                "area {area} post {post}{}",
                if *hidden { " hidden" } else { "" }
            )
        }
        Topic::MemberJoined { name } => name.clone(),
        Topic::LotteryOpened { .. }
        | Topic::LotteryAgencyClosed { .. }
        | Topic::LotteryDrawn { .. } => lottery::topic(&event.topic),
        Topic::PollCreated {
            poll,
            question,
            author,
        } => format!("poll {poll} {:?} by {author}", short(question)),
        Topic::PollClosed { poll, question } => format!("poll {poll} {:?}", short(question)),
        Topic::FilePut { .. } | Topic::FileRenamed { .. } | Topic::FileRemoved { .. } => {
            files::topic(&event.topic)
        }
    };
    format!(
        "{} {} {} {about}\n",
        event.id,
        time(event.at_ms),
        event.topic.kind()
    )
}

pub fn events(events: &Events) -> String {
    match events {
        Events::Some(events) => list(events, event),
        Events::Gone { oldest } => format!("gone up to {oldest}\n"),
    }
}

pub fn standing(standing: &Standing) -> String {
    match standing {
        Standing::SignedIn(member) => self::member(member),
        Standing::Expired => "expired\n".to_owned(),
        Standing::Unknown => "unknown\n".to_owned(),
    }
}

pub fn member(member: &Member) -> String {
    let role = if member.administrator {
        ", administrator"
    } else {
        ""
    };
    let until = time(member.expires_at_ms);
    format!(
        "account {} {}{role}, until {until}\n",
        member.account, member.name
    )
}

pub fn account(account: &Account) -> String {
    let role = if account.administrator {
        ", administrator"
    } else {
        ""
    };
    let since = time(account.created_at_ms);
    format!(
        "account {} {}{role}, since {since}\n",
        account.id, account.name
    )
}

pub fn credentials(found: &Credentials) -> String {
    format!(
        "account {} {} {}\n",
        found.account, found.name, found.password_hash
    )
}

pub fn area(area: &Area) -> String {
    let last = area.last_post_at_ms.map_or("never".to_owned(), time);
    let subscribed = if area.subscribed { ", subscribed" } else { "" };
    format!(
        "area {} {:?} {:?}: {} posts, last {last}{subscribed}, {} unread\n",
        area.id, area.name, area.description, area.posts, area.unread
    )
}

pub fn post(post: &Post) -> String {
    let mark = if post.read { "read  " } else { "unread" };
    let body = match &post.body {
        Body::Text { title, text } => format!("{:?}: {:?}", short(title), short(text)),
        Body::Deleted => "deleted".to_owned(),
        Body::Hidden { reason } => format!("hidden: {reason:?}"),
    };
    format!(
        "{mark} {}/{} {} by {} ({}) {body}\n",
        post.area,
        post.id,
        time(post.at_ms),
        post.author,
        post.author_id
    )
}

pub fn posts(posts: &Posts) -> String {
    let next = posts
        .next
        .map_or(String::new(), |next| format!("next {next}\n"));
    format!("{}{}{next}", area(&posts.area), list(&posts.posts, post))
}

pub fn found(found: &Found) -> String {
    let next = found
        .next
        .map_or(String::new(), |next| format!("next {next}\n"));
    let posts = list(&found.posts, |(area, post)| {
        format!("{area:?} {}", self::post(post))
    });
    format!("{posts}{next}")
}

pub fn counts(counts: &Counts) -> String {
    format!(
        "{} accounts, {} areas, {} posts\n",
        counts.accounts, counts.areas, counts.posts
    )
}

/// An answer that may be nothing.
pub fn maybe<T>(answer: &Option<T>, show: impl Fn(&T) -> String) -> String {
    answer.as_ref().map_or("none\n".to_owned(), show)
}

/// Several lines, or a word that there are none.
pub fn list<T>(items: &[T], show: impl Fn(&T) -> String) -> String {
    match items {
        [] => "nothing\n".to_owned(),
        items => items.iter().map(show).collect(),
    }
}

/// Long texts are cut for the script.
pub fn short(text: &str) -> String {
    let length = text.chars().count();
    if length <= 60 {
        return text.to_owned();
    }
    format!("{}… ({length})", text.chars().take(10).collect::<String>())
}

/// A time as a span since the story began.
pub fn time(at_ms: i64) -> String {
    if at_ms == i64::MAX {
        return "for ever".to_owned();
    }
    let since = at_ms - START_MS;
    let sign = if since < 0 { "-" } else { "+" };
    let mut rest = since.abs();
    let mut text = sign.to_owned();
    for (unit, unit_ms) in [
        ("d", 86_400_000),
        ("h", 3_600_000),
        ("m", 60_000),
        ("s", 1_000),
    ] {
        if rest >= unit_ms {
            text.push_str(&format!("{}{unit}", rest / unit_ms));
            rest %= unit_ms;
        }
    }
    if text.len() == 1 {
        format!("{sign}0s")
    } else {
        text
    }
}

/// The start of a hash.
pub fn hex(hash: &[u8; 32]) -> String {
    hash[..6].iter().map(|byte| format!("{byte:02x}")).collect()
}
