//! What other rules do with lists: take items that they know, and put others aside, as a part of
//! their own commands.

use bytes::Bytes;

use super::access::{Done, Halt};
use super::execute::{broken, with_work};
use super::lists;
use super::operation::End;
use super::reply::{StoreError, StoreReply};
use super::work::Work;
use crate::context::{Context, Step, Stop};

/// Whether a key is a list, or could become one.
pub(crate) fn may_be_list(context: &mut Context<'_>, key: &[u8]) -> Step<bool> {
    let length = run(context, |work| lists::length(work, key))?;
    Ok(length.is_ok())
}

/// Takes items away from the head of a list, as long as they are these; answers how many.
pub(crate) fn take_head(context: &mut Context<'_>, list: &[u8], items: &[&Bytes]) -> Step<usize> {
    let taken = run(context, |work| {
        let mut same = 0;
        while let Some(item) = items.get(same) {
            match lists::index(work, list, same as i64)? {
                StoreReply::Bytes(head) if head == **item => same += 1,
                _ => break,
            }
        }
        if same > 0 {
            work.budget.decided = true;
            lists::pop(work, list, End::Head, Some(same as u64))?;
        }
        Ok(same)
    })?;
    // It is no list, or the log entry holds too much already: nothing was taken.
    Ok(taken.unwrap_or(0))
}

/// Adds items at the tail of a list, which [`may_be_list`] has said there may be.
pub(crate) fn put_aside(context: &mut Context<'_>, list: &[u8], items: &[Bytes]) -> Step<()> {
    if items.is_empty() {
        return Ok(());
    }
    let pushed = run(context, |work| {
        work.budget.decided = true;
        lists::push(work, list, End::Tail, items, false)
    })?;
    match pushed {
        Ok(_) => Ok(()),
        Err(error) => Err(Stop::Broken(broken(Halt::Error(error)))),
    }
}

/// Works on the rows as a part of a command.
fn run<T>(
    context: &mut Context<'_>,
    work: impl FnOnce(&mut Work<'_, '_>) -> Done<T>,
) -> Step<Result<T, StoreError>> {
    let memory = context.memory.clone();
    let mut table = memory.change();
    match with_work(context, &mut table, work) {
        Ok(done) => Ok(Ok(done)),
        Err(Halt::Error(error)) => Ok(Err(error)),
        Err(halt) => {
            table.clear();
            Err(Stop::Broken(broken(halt)))
        }
    }
}
