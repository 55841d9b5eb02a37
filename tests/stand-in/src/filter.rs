//! Which events a reader of `$all` gets.

use regex::Regex;
use tonic::Status;

use crate::{
    protocol::streams::read_req::options::{
        FilterOption, FilterOptions,
        filter_options::{Expression, Filter as By, Window},
    },
    store::Event,
};

/// Events looked at between two checkpoints, unless the reader says otherwise, a count.
const WINDOW: u32 = 32;

/// A filter.
#[derive(Debug)]
pub struct Filter {
    stream_names: bool,
    prefixes: Vec<String>,
    regex: Option<Regex>,
    /// After how many events that were looked at a checkpoint is due.
    pub checkpoint_every: u32,
}

impl Filter {
    /// The filter asked for, if one was.
    pub fn parse(asked: Option<FilterOption>) -> Result<Option<Self>, Status> {
        let Some(FilterOption::Filter(FilterOptions { filter, window, checkpoint_interval_multiplier })) = asked else {
            return Ok(None);
        };
        let (stream_names, Expression { regex, prefix }) = match filter {
            Some(By::StreamIdentifier(expression)) => (true, expression),
            Some(By::EventType(expression)) => (false, expression),
            None => return Err(Status::invalid_argument("the filter is missing")),
        };
        let window = match window {
            Some(Window::Max(max)) => max.max(1),
            _ => WINDOW,
        };
        let regex = if regex.is_empty() { None } else { Some(Regex::new(&regex)) };
        let regex = regex.transpose().map_err(|error| Status::invalid_argument(error.to_string()))?;
        let checkpoint_every = window.saturating_mul(checkpoint_interval_multiplier.max(1));
        Ok(Some(Self { stream_names, prefixes: prefix, regex, checkpoint_every }))
    }

    /// Whether the event is one of those.
    pub fn takes(&self, event: &Event) -> bool {
        let text = if self.stream_names {
            &event.body.stream
        } else {
            event.body.metadata.get("type").map_or("", |text| text)
        };
        match &self.regex {
            Some(regex) => regex.is_match(text),
            None => self.prefixes.iter().any(|prefix| text.starts_with(prefix.as_str())),
        }
    }
}
