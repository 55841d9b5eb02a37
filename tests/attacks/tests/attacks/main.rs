//! What is attacked, and that it holds.

mod board;
mod editions;
mod organisation;
mod presets;
