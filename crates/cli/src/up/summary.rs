//! What `up` says once the nodes are ready.

use std::fmt::Write;
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Duration;

use api::Client;
use tokio::time::sleep;

use super::plan::{Node, Plan};
use super::proxies::Proxy;
use super::screen::{Screen, State};
use super::status;
use crate::settings::Door;

/// How often to ask a node whether it is ready.
const POLL: Duration = Duration::from_millis(100);

/// Waits for the nodes, says what can be done now, and draws the table if there is one.
pub async fn greet(plan: Arc<Plan>, proxies: Vec<Proxy>, screen: Screen) {
    for node in &plan.nodes {
        wait_for(node).await;
    }
    for proxy in &proxies {
        until_ready(&proxy.url()).await;
    }
    let pid = match screen.states().get(plan.nodes.len() - 1) {
        Some(State::Running(id)) => Some(*id),
        _ => None,
    };
    screen.tell(words(&plan, &proxies, pid));
    plan.greeted.store(true, Ordering::Relaxed);
    if screen.has_table() {
        let endpoints = plan.nodes.iter().map(Node::url);
        let builder = endpoints.fold(Client::builder(), |builder, url| builder.endpoint(url));
        if let Ok(client) = builder.learn(false).build() {
            status::follow(&plan, &proxies, &client, &screen).await;
        }
    }
}

async fn wait_for(node: &Node) {
    // A node writes the secret to join with when all of its first start is done.
    while !node.token_file().exists() {
        sleep(POLL).await;
    }
    until_ready(&node.url()).await;
}

async fn until_ready(url: &str) {
    let Ok(client) = Client::builder().endpoint(url).learn(false).build() else {
        return;
    };
    while client.ready().await.is_err() {
        sleep(POLL).await;
    }
}

/// What must not be lost when `up` ends before it could greet.
pub fn part(plan: &Plan, screen: &Screen) {
    if let (Some(password), false) = (
        &plan.generated_password,
        plan.greeted.load(Ordering::Relaxed),
    ) {
        screen.tell(format!(
            "\n  If the administrator was made, the password is {password}\n\n"
        ));
    }
}

fn words(plan: &Plan, proxies: &[Proxy], last_pid: Option<u32>) -> String {
    let mut text = String::from("\n");
    // Writing to a String cannot fail.
    let mut say = |line: &str| {
        let _ = writeln!(text, "{}", format!("  {line}").trim_end());
    };
    let first = plan.nodes[0].url();
    say(&match plan.nodes.len() {
        1 => "Ready: one node serves.".to_owned(),
        count => format!("Ready: {count} nodes serve as one. Any of them will do:"),
    });
    say("");
    for node in &plan.nodes {
        let mut doors = String::new();
        for (door, what) in node.others() {
            if let Door::At(address) = door {
                let _ = write!(doors, "  {what}: {address}");
            }
        }
        say(&format!("  {}  {}{doors}", node.name, node.url()));
    }
    if !proxies.is_empty() {
        say("");
        say("Proxies lead to whichever nodes live; a client may know one or all of them:");
    }
    for proxy in proxies {
        let mut doors = String::new();
        for (_, what, door) in &proxy.others {
            if let Door::At(address) = door {
                let _ = write!(doors, "  {what}: {address}");
            }
        }
        say(&format!("  {}  {}{doors}", proxy.name, proxy.url()));
    }
    if plan.demo && plan.first_start {
        say("");
        say("There is news to read: sign in as `marta`, with the password vecindario");
    }
    if let Some(password) = &plan.generated_password {
        say("");
        say(&format!(
            "The administrator is `admin`, with the password {password}"
        ));
        say("It is shown only this once; `consorcio account password` changes it.");
    }
    say("");
    say("Try next:");
    say(&format!("  consorcio account login admin --server {first}"));
    say(&format!("  curl {first}/v1/cluster"));
    if let Some(Door::At(address)) = plan.nodes.first().map(|node| node.redis) {
        say(&format!("  redis-cli -p {} incr visits", address.port()));
    }
    if let Some(pid) = last_pid.filter(|_| plan.nodes.len() >= 3) {
        say(&format!(
            "  kill -9 {pid}    # {}: nothing is lost, and it comes back",
            last_name(plan)
        ));
    }
    text.push('\n');
    text
}

fn last_name(plan: &Plan) -> &str {
    plan.nodes.last().map_or("", |node| &node.name)
}
