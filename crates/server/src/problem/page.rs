//! The page that every problem's `type` leads to.

use maud::{DOCTYPE, Markup, html};
use tonic::Code;

use super::kinds::{FACTS, Facts};

/// The page at `/problems`, which every problem's `type` leads to.
pub(crate) fn page() -> Markup {
    html! {
        (DOCTYPE)
        html lang="en" {
            head {
                meta charset="utf-8";
                meta name="viewport" content="width=device-width, initial-scale=1";
                title { "Problems · Consorcio" }
                link rel="stylesheet" href="/assets/style.css";
            }
            body {
                main {
                    h1 { "What an answer of Consorcio's API can say is wrong" }
                    dl {
                        @for Facts { kind, name, status, code, title, advice } in &FACTS {
                            dt id=(name) {
                                code { (kind.uri()) } " · " (status) " · gRPC "
                                (grpc_name(*code)) " · " (title)
                            }
                            dd { (advice) }
                        }
                    }
                }
            }
        }
    }
}

/// The code as gRPC's documentation writes it.
fn grpc_name(code: Code) -> String {
    let mut name = String::new();
    for letter in format!("{code:?}").chars() {
        if letter.is_ascii_uppercase() && !name.is_empty() {
            name.push('_');
        }
        name.push(letter.to_ascii_uppercase());
    }
    name
}
