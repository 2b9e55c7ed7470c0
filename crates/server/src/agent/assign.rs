//! Assigning areas to nodes: a pure function from the assignment until now, the healthy nodes and
//! the demand. Loads differ by at most one, and as few areas as possible move.

use std::collections::BTreeMap;

/// The nodes of each area, best first.
pub(crate) type Assignment = BTreeMap<i64, Vec<String>>;

/// Below this many (decayed) requests in all, one node an area is enough.
const QUIET: u64 = 100;

/// Assigns every area in `demand` to one node or more.
pub(crate) fn assign(
    until_now: &Assignment,
    nodes: &[String],
    demand: &BTreeMap<i64, u64>,
) -> Assignment {
    if nodes.is_empty() {
        return Assignment::new();
    }
    let mut work = Work::new(nodes);
    for (&area, &requests) in demand {
        let before: Vec<usize> = until_now.get(&area).map_or(Vec::new(), |n| work.known(n));
        let wanted = nodes_wanted(requests, demand, nodes.len(), before.len());
        work.keep(area, before, wanted);
    }
    work.fill();
    work.balance();
    work.finish()
}

/// How many nodes an area's share of the demand is worth. A count that is nearly right stays, so
/// that a demand on the border between two does not make it flap.
fn nodes_wanted(
    requests: u64,
    demand: &BTreeMap<i64, u64>,
    nodes: usize,
    until_now: usize,
) -> usize {
    let total: u64 = demand
        .values()
        .fold(0, |sum, count| sum.saturating_add(*count));
    if total < QUIET {
        return 1;
    }
    let milli = u128::from(requests) * nodes as u128 * 1000 / u128::from(total);
    let milli = u64::try_from(milli).unwrap_or(u64::MAX);
    let before = until_now as u64 * 1000;
    if until_now > 0 && milli.abs_diff(before) < 750 {
        return until_now.min(nodes);
    }
    let rounded = usize::try_from((milli + 500) / 1000).unwrap_or(nodes);
    rounded.clamp(1, nodes)
}

/// The assignment while it is made. Nodes are indexes into `nodes`.
struct Work<'a> {
    nodes: &'a [String],
    load: Vec<usize>,
    areas: BTreeMap<i64, Slots>,
}

struct Slots {
    wanted: usize,
    nodes: Vec<usize>,
}

impl<'a> Work<'a> {
    fn new(nodes: &'a [String]) -> Self {
        Work {
            nodes,
            load: vec![0; nodes.len()],
            areas: BTreeMap::new(),
        }
    }

    /// The indexes of the named nodes that are still there.
    fn known(&self, names: &[String]) -> Vec<usize> {
        names
            .iter()
            .filter_map(|name| self.nodes.iter().position(|n| n == name))
            .collect()
    }

    fn keep(&mut self, area: i64, mut nodes: Vec<usize>, wanted: usize) {
        nodes.truncate(wanted);
        for &node in &nodes {
            self.load[node] += 1;
        }
        self.areas.insert(area, Slots { wanted, nodes });
    }

    /// Gives every area the nodes it lacks, the least loaded first.
    fn fill(&mut self) {
        for (&area, slots) in &mut self.areas {
            while slots.nodes.len() < slots.wanted {
                let free = (0..self.nodes.len()).filter(|node| !slots.nodes.contains(node));
                let best = free.min_by_key(|&node| {
                    let affinity = by_affinity(area, &self.nodes[node]);
                    (self.load[node], std::cmp::Reverse(affinity))
                });
                let Some(node) = best else { break };
                slots.nodes.push(node);
                self.load[node] += 1;
            }
        }
    }

    /// Moves areas from the most to the least loaded node until they differ by at most one. There
    /// is always one to move: the fuller node has an area that the emptier one has not.
    fn balance(&mut self) {
        loop {
            let by_load = |node: &usize| (self.load[*node], *node);
            let Some(full) = (0..self.nodes.len()).max_by_key(by_load) else {
                return;
            };
            let Some(empty) = (0..self.nodes.len()).min_by_key(by_load) else {
                return;
            };
            if self.load[full] - self.load[empty] <= 1 || !self.shift(full, empty) {
                return;
            }
        }
    }

    /// Moves the area that likes the emptier node best.
    fn shift(&mut self, full: usize, empty: usize) -> bool {
        let name = &self.nodes[empty];
        let movable = self
            .areas
            .iter_mut()
            .filter(|(_, slots)| slots.nodes.contains(&full) && !slots.nodes.contains(&empty));
        let Some((_, slots)) = movable.max_by_key(|(area, _)| by_affinity(**area, name)) else {
            return false;
        };
        for node in slots.nodes.iter_mut().filter(|node| **node == full) {
            *node = empty;
        }
        self.load[full] -= 1;
        self.load[empty] += 1;
        true
    }

    fn finish(self) -> Assignment {
        let name = |node: usize| self.nodes[node].clone();
        let named = |slots: Slots| slots.nodes.into_iter().map(name).collect();
        self.areas
            .into_iter()
            .map(|(area, slots)| (area, named(slots)))
            .collect()
    }
}

/// How much an area likes a node: the same everywhere, and unlike for every pair (rendezvous
/// hashing).
pub(crate) fn by_affinity(area: i64, node: &str) -> u64 {
    let mut hasher = blake3::Hasher::new();
    hasher.update(&area.to_le_bytes());
    hasher.update(node.as_bytes());
    let mut first = [0; 8];
    first.copy_from_slice(&hasher.finalize().as_bytes()[..8]);
    u64::from_le_bytes(first)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn nodes(count: usize) -> Vec<String> {
        (1..=count).map(|n| format!("n{n}")).collect()
    }

    fn quiet(areas: i64) -> BTreeMap<i64, u64> {
        (1..=areas).map(|area| (area, 0)).collect()
    }

    fn spread(assignment: &Assignment, nodes: &[String]) -> (usize, usize) {
        let load = |node: &String| assignment.values().flatten().filter(|n| *n == node).count();
        let loads: Vec<usize> = nodes.iter().map(load).collect();
        (
            loads.iter().copied().min().unwrap_or(0),
            loads.iter().copied().max().unwrap_or(0),
        )
    }

    fn moved(before: &Assignment, after: &Assignment) -> usize {
        after
            .iter()
            .filter(|(area, nodes)| before.get(area) != Some(nodes))
            .count()
    }

    #[test]
    fn areas_are_spread_evenly_whatever_the_numbers() {
        for node_count in 1..=7 {
            for area_count in 0..=40 {
                let nodes = nodes(node_count);
                let made = assign(&Assignment::new(), &nodes, &quiet(area_count));
                assert_eq!(made.len() as i64, area_count);
                let (min, max) = spread(&made, &nodes);
                assert!(
                    max - min <= 1,
                    "{node_count} nodes, {area_count} areas: {min}..{max}"
                );
            }
        }
    }

    #[test]
    fn nothing_moves_without_a_reason() {
        let nodes = nodes(3);
        let first = assign(&Assignment::new(), &nodes, &quiet(20));
        assert_eq!(assign(&first, &nodes, &quiet(20)), first);
        let with_one_more = assign(&first, &nodes, &quiet(21));
        assert_eq!(moved(&first, &with_one_more), 1);
    }

    #[test]
    fn when_a_node_fails_only_its_areas_move_and_evenly() {
        let nodes = nodes(3);
        let before = assign(&Assignment::new(), &nodes, &quiet(30));
        let after = assign(&before, &nodes[..2], &quiet(30));
        assert_eq!(moved(&before, &after), 10);
        assert_eq!(spread(&after, &nodes[..2]), (15, 15));
    }

    #[test]
    fn a_node_that_joins_gets_its_share_and_no_more_moves() {
        let nodes = nodes(4);
        let before = assign(&Assignment::new(), &nodes[..3], &quiet(24));
        let after = assign(&before, &nodes, &quiet(24));
        assert_eq!(moved(&before, &after), 6);
        assert_eq!(spread(&after, &nodes), (6, 6));
    }

    #[test]
    fn an_area_in_demand_gets_more_nodes_and_gives_them_back() {
        let nodes = nodes(3);
        let before = assign(&Assignment::new(), &nodes, &quiet(5));
        let mut demand = quiet(5);
        demand.insert(2, 10_000);
        let busy = assign(&before, &nodes, &demand);
        assert_eq!(busy[&2].len(), 3);
        assert!(
            busy.iter()
                .all(|(area, nodes)| *area == 2 || nodes.len() == 1)
        );
        let (min, max) = spread(&busy, &nodes);
        assert!(max - min <= 1);
        let quiet_again = assign(&busy, &nodes, &quiet(5));
        assert_eq!(quiet_again[&2].len(), 1);
    }

    #[test]
    fn demand_on_the_border_does_not_flap() {
        let nodes = nodes(3);
        let demand = |first| BTreeMap::from([(1, first), (2, 10_000 - first)]);
        let mut assignment = assign(&Assignment::new(), &nodes, &demand(5_010));
        let settled = assignment.clone();
        for first in [4_990, 5_020, 4_980, 5_000] {
            assignment = assign(&assignment, &nodes, &demand(first));
            assert_eq!(assignment, settled);
        }
    }

    #[test]
    fn without_nodes_nobody_is_named() {
        assert!(assign(&Assignment::new(), &[], &quiet(3)).is_empty());
    }
}
