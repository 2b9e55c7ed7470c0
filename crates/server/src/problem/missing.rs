//! Says what was not found as the request named it.

use std::fmt::Display;

use domain::command::Thing;
use domain::news::queries::AreaRef;
use domain::{Action, Rejection};

use super::convert::noun;
use super::{Kind, Trouble};

/// A name is shown up to so many characters: more than any that exists has.
const SHOWN_MAX_CHARS: usize = 100;

/// What an action names by an id.
pub(crate) type Named = [Option<(Thing, i64)>; 2];

impl Trouble {
    /// Something that does not exist.
    pub fn not_found(what: &str) -> Self {
        Trouble::new(Kind::NotFound, format!("there is no such {what}"))
    }

    /// Something that does not exist, and how it was named.
    pub fn missing(what: &str, which: impl Display) -> Self {
        Trouble::new(Kind::NotFound, format!("there is no {what} {which}"))
    }

    /// Something that does not exist, and the text that it was named by.
    pub fn missing_name(what: &str, name: &str) -> Self {
        let shown: String = name.chars().take(SHOWN_MAX_CHARS).collect();
        Trouble::missing(what, format_args!("{shown:?}"))
    }

    /// An area that does not exist.
    pub fn no_area(area: &AreaRef) -> Self {
        match area {
            AreaRef::Id(id) => Trouble::missing("area", id),
            AreaRef::Name(name) => Trouble::missing_name("area", name),
        }
    }

    /// What the rules said to an action that named all this.
    pub fn rejected(rejection: Rejection, named: &Named) -> Self {
        let Rejection::NotFound(thing) = rejection else {
            return rejection.into();
        };
        match named.iter().flatten().find(|(named, _)| *named == thing) {
            Some((_, id)) => Trouble::missing(noun(thing), id),
            None => rejection.into(),
        }
    }
}

/// What an action names by an id.
pub(crate) fn named(action: &Action) -> Named {
    match action {
        Action::EditArea { area, .. }
        | Action::RemoveArea { area }
        | Action::Subscribe { area }
        | Action::Unsubscribe { area }
        | Action::Publish { area, .. }
        | Action::Mark { area, .. } => [Some((Thing::Area, *area)), None],
        Action::DeletePost { area, post } | Action::HidePost { area, post, .. } => {
            [Some((Thing::Area, *area)), Some((Thing::Post, *post))]
        }
        Action::CastBallot { poll, .. } | Action::ClosePoll { poll } => {
            [Some((Thing::Poll, *poll)), None]
        }
        Action::StoreBets {
            lottery, agency, ..
        }
        | Action::CloseAgency {
            lottery, agency, ..
        } => {
            let agency = i64::from(*agency);
            [
                Some((Thing::Lottery, *lottery)),
                Some((Thing::Agency, agency)),
            ]
        }
        Action::DrawLottery { lottery, .. } => [Some((Thing::Lottery, *lottery)), None],
        _ => [None; 2],
    }
}
