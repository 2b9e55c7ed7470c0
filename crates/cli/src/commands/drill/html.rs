//! A report as a page that needs nothing else, for those who were not there.

use maud::{DOCTYPE, Markup, PreEscaped, html};

use super::report::{Effect, ElectionLine, NodeLine, Report};
use super::text;

const STYLE: &str = "\
body{font:16px/1.5 system-ui,sans-serif;max-width:60rem;margin:2rem auto;padding:0 1rem;\
color:#1b1b1b;background:#fff}\
.verdict{padding:.8rem 1rem;border-radius:.4rem;font-weight:600;background:#e2f3e4;color:#124d1c}\
.verdict.no{background:#fbe3e1;color:#7c130c}\
table{border-collapse:collapse;width:100%;margin:.5rem 0 1.5rem}\
th,td{text-align:left;padding:.3rem .6rem;border-bottom:1px solid #ddd}\
td.n,th.n{text-align:right;font-variant-numeric:tabular-nums}\
svg{width:100%;height:auto}code{overflow-wrap:anywhere}\
@media(prefers-color-scheme:dark){body{color:#e8e8e8;background:#161616}\
th,td{border-color:#444}.verdict{background:#173a1d;color:#c9efcf}\
.verdict.no{background:#4a1613;color:#ffd7d3}}";

/// The page.
pub fn of(report: &Report) -> String {
    let class = if report.passed {
        "verdict"
    } else {
        "verdict no"
    };
    let page = html! {
        (DOCTYPE)
        html lang="en" {
            head {
                meta charset="utf-8";
                meta name="viewport" content="width=device-width, initial-scale=1";
                title { "Drill " (report.id) }
                style { (PreEscaped(STYLE)) }
            }
            body {
                h1 { "Drill " (report.id) }
                p { (report.begun_at) ", cluster " code { (report.cluster) } }
                p class=(class) { (text::verdict(report)) }
                @if !report.failures.is_empty() {
                    ul { @for failure in &report.failures { li { (failure) } } }
                }
                p {
                    "While users wrote to every service, something was made to fail on purpose. \
                     What they were told was done was written down outside of the cluster; \
                     afterwards every node was asked what it holds, and both were compared."
                }
                h2 { "What happened" }
                (chart(report))
                (faults(report))
                h2 { "What users saw" }
                p {
                    "The longest time in which nobody got an answer was "
                    strong { (report.longest_unavailability_ms) " ms" } "."
                }
                (services(report))
                h2 { "What every node holds" }
                (nodes(report))
                @if !report.elections.is_empty() {
                    h2 { "Who led" }
                    (elections(&report.elections))
                }
                @for remark in &report.remarks { p { (remark) } }
                @if let (Some(seal), Some((journal, index))) = (&report.seal, &report.sealed_in) {
                    p {
                        "Sealed as entry " (index) " of the journal " code { (journal) } ": "
                        code { (seal) }
                    }
                }
            }
        }
    };
    page.into_string()
}

/// Acknowledged writes in each second, with the times of the faults behind them.
fn chart(report: &Report) -> Markup {
    let bars = &report.acknowledged_each_second;
    let highest = f64::from(bars.iter().copied().max().unwrap_or(1).max(1));
    let (width, height) = (900.0, 160.0);
    let each = width / bars.len().max(1) as f64;
    let x_of = |ms: u64| ms as f64 / 1_000.0 * each;
    html! {
        svg viewBox="0 0 900 190" role="img" aria-label="Writes acknowledged in each second" {
            @for line in report.faults.iter().filter(|f| f.outcome == Effect::Installed) {
                @let x = x_of(line.at_ms);
                @let lasted_ms = line.back_after_ms.unwrap_or(u64::from(line.seconds) * 1_000);
                @let wide = x_of(lasted_ms).min(width - x).max(2.0);
                rect x=(x) y="0" width=(wide) height=(height) fill="#d9822b" fill-opacity="0.25" {
                    title { (text::fault(line)) }
                }
            }
            @for (second, count) in bars.iter().enumerate() {
                @let tall = f64::from(*count) / highest * (height - 10.0);
                rect x=(second as f64 * each + 1.0) y=(height - tall) width=((each - 2.0).max(1.0))
                    height=(tall) fill="#2f6fb5" {
                    title { (second) " s: " (count) " acknowledged" }
                }
            }
            text x="0" y="182" font-size="14" fill="currentColor" {
                "writes acknowledged in each of " (bars.len()) " seconds (at most " (highest)
                "); shaded: something failed on purpose"
            }
        }
    }
}

fn faults(report: &Report) -> Markup {
    html! {
        table {
            thead { tr { th class="n" { "Second" } th { "What failed" } } }
            tbody {
                @for line in &report.faults {
                    tr {
                        td class="n" { (format!("{:.1}", line.at_ms as f64 / 1_000.0)) }
                        td { (text::fault(line)) }
                    }
                }
            }
        }
    }
}

fn services(report: &Report) -> Markup {
    let heads = [
        "Acknowledged",
        "Unknown",
        "Refused",
        "Longest silence, ms",
        "Median, ms",
        "99 of 100 within, ms",
    ];
    html! {
        table {
            thead { tr { th { "Service" } @for head in heads { th class="n" { (head) } } } }
            tbody {
                @for line in &report.services {
                    @let seen = &line.seen;
                    tr {
                        td { (line.service) }
                        td class="n" { (seen.acknowledged) }
                        td class="n" { (seen.unknown) }
                        td class="n" { (seen.refused) }
                        td class="n" { (seen.longest_gap_ms) }
                        td class="n" { (seen.median_ms) }
                        td class="n" { (seen.p99_ms) }
                    }
                }
            }
        }
    }
}

fn nodes(report: &Report) -> Markup {
    html! {
        table {
            thead {
                tr { th { "Node" } th { "Acknowledged writes that are there" } th { "State" } }
            }
            tbody {
                @for NodeLine { node, services, applied, state_hash } in &report.nodes {
                    tr {
                        td { (node) }
                        td {
                            @for (service, counted) in services {
                                (service) " "
                                @match counted {
                                    Some(good) if good.is_well() => { (good.present) " ✓ " }
                                    Some(counted) => { (counted.present) " ✗ " }
                                    None => "not read ",
                                }
                            }
                        }
                        td {
                            code { (state_hash.get(..16).unwrap_or_default()) } " at " (applied)
                        }
                    }
                }
            }
        }
    }
}

fn elections(lines: &[ElectionLine]) -> Markup {
    html! {
        table {
            thead { tr { th { "When" } th { "Node" } th class="n" { "Term" } th { "What" } } }
            tbody {
                @for line in lines {
                    tr {
                        td { (line.at) }
                        td { (line.node) }
                        td class="n" { (line.term) }
                        td { (super::report::election(line)) }
                    }
                }
            }
        }
    }
}
