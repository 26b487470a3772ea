//! Adapters that write: how a decision, a log and a piece of evidence look to people and programs.
//!
//! In: a decision's account, an error's place. Out: text. Nothing here decides anything.

pub mod caret;
pub mod html;
pub mod human;
pub mod inspection;
pub mod journal;
pub mod json;
pub mod junit;
pub mod log;
pub mod markdown;
mod markup;
pub mod paint;
pub mod place;
pub mod rollout;
pub mod rules;
pub mod sarif;
pub mod simulation;
