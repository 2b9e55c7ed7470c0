//! Events.

use api::grpc::v1;
use domain::polls::queries::LiveTally;
use domain::{Event, Topic};
use v1::event::What;

use super::{polls, time};

/// An event.
pub(in crate::grpc) fn event(event: &Event) -> v1::Event {
    v1::Event {
        id: event.id.to_string(),
        kind: event.topic.kind().to_owned(),
        at: time(event.at_ms),
        what: what(event.topic.clone()),
    }
}

fn what(topic: Topic) -> Option<What> {
    let changed = |area, name| v1::AreaChanged { area, name };
    Some(match topic {
        Topic::AreaAdded { area, name } => What::AreaAdded(changed(area, name)),
        Topic::AreaEdited { area, name } => What::AreaEdited(changed(area, name)),
        Topic::AreaRemoved { area, name } => What::AreaRemoved(changed(area, name)),
        Topic::PostPublished {
            area,
            post,
            title,
            author,
        } => What::PostPublished(v1::PostPublished {
            area,
            post,
            title,
            author,
        }),
        Topic::PostRemoved { area, post, hidden } => {
            What::PostRemoved(v1::PostRemoved { area, post, hidden })
        }
        Topic::MemberJoined { name } => What::MemberJoined(v1::MemberJoined { name }),
        Topic::PollCreated {
            poll,
            question,
            author,
        } => What::PollCreated(v1::PollCreated {
            poll,
            question,
            author,
        }),
        Topic::PollClosed { poll, question } => What::PollClosed(v1::PollClosed { poll, question }),
        Topic::FilePut {
            file,
            name,
            by,
            area,
            size_bytes,
            root,
            replaced,
        } => What::FilePut(v1::FilePut {
            file,
            name,
            by,
            area,
            size_bytes,
            root: root.to_vec().into(),
            replaced,
        }),
        Topic::FileRenamed { file, before, name } => {
            What::FileRenamed(v1::FileRenamed { file, before, name })
        }
        Topic::FileRemoved { file, name } => What::FileRemoved(v1::FileRemoved { file, name }),
        Topic::LotteryOpened { .. }
        | Topic::LotteryAgencyClosed { .. }
        | Topic::LotteryDrawn { .. } => return lottery(topic),
    })
}

/// What an event about a lottery tells.
fn lottery(topic: Topic) -> Option<What> {
    Some(match topic {
        Topic::LotteryOpened {
            lottery,
            name,
            agencies,
        } => What::LotteryOpened(v1::LotteryOpened {
            lottery,
            name,
            agencies,
        }),
        Topic::LotteryAgencyClosed {
            lottery,
            agency,
            open_agencies,
        } => What::LotteryAgencyClosed(v1::LotteryAgencyClosed {
            lottery,
            agency,
            open_agencies,
        }),
        Topic::LotteryDrawn {
            lottery,
            number,
            winners,
            closed_agency,
        } => What::LotteryDrawn(v1::LotteryDrawn {
            lottery,
            number: number.into(),
            winners,
            closed_agency,
        }),
        _ => return None,
    })
}

/// How an open poll stands.
pub(in crate::grpc) fn tally(live: &LiveTally) -> v1::PollTally {
    v1::PollTally {
        poll: live.poll,
        at: time(live.changed_at_ms),
        tally: Some(polls::tally(&live.tally)),
    }
}
