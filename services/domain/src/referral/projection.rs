//! What a partner reads of a member, and what a need says: only ever sealed in an event.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};
use serde_json::Value;
use utoipa::ToSchema;

use super::{PROJECTION_BYTES_MAX, Refusal};
use crate::{member::Profile, partner::Item, text::Text};

/// What a need says.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct NeedWords {
    /// What the member asks for.
    pub ask: Text<500>,
    /// Why they need it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub why: Option<Text<2_000>>,
    /// Whatever else a partner has to know.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub background: Option<Text<2_000>>,
}

impl NeedWords {
    /// What of it an item is.
    fn item(&self, item: Item) -> Option<Value> {
        let text = match item {
            Item::Ask => Some(self.ask.as_str()),
            Item::Why => self.why.as_ref().map(Text::as_str),
            Item::Background => self.background.as_ref().map(Text::as_str),
            _ => None,
        };
        text.map(Value::from)
    }
}

/// Exactly what a partner reads of a member, item by item.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(transparent)]
#[schema(value_type = Object)]
pub struct Projection(pub BTreeMap<Item, Value>);

impl Projection {
    /// Those of the items of which anything is known.
    ///
    /// # Errors
    /// [`Refusal::Full`] if it is longer than [`PROJECTION_BYTES_MAX`].
    pub fn new(items: impl IntoIterator<Item = Item>, profile: &Profile, words: &NeedWords) -> Result<Self, Refusal> {
        let Ok(Value::Object(profile)) = serde_json::to_value(profile) else { unreachable!("a profile is an object") };
        let of_profile = |item: Item| item.field().and_then(|field| profile.get(field.as_str()).cloned());
        let value = |item: Item| words.item(item).or_else(|| of_profile(item)).map(|value| (item, value));
        let projection = Self(items.into_iter().filter_map(value).collect());
        if projection.bytes().len() > PROJECTION_BYTES_MAX {
            return Err(Refusal::Full("bytes that a partner can read", PROJECTION_BYTES_MAX));
        }
        Ok(projection)
    }

    /// The bytes that are sealed, and of which a digest is previewed.
    pub fn bytes(&self) -> Vec<u8> {
        serde_json::to_vec(&self.0).expect("string keys only")
    }
}
