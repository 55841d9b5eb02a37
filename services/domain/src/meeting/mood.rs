//! How somebody says they feel, in one tap.

use std::borrow::Cow;

use serde::{Deserialize, Serialize};
use utoipa::{
    PartialSchema, ToSchema,
    openapi::{ObjectBuilder, OneOfBuilder, RefOr, schema::Type},
};

/// Highest mood; the lowest is 0.
pub const MOOD_MAX: u8 = 10;

/// How somebody says they feel, or that they would rather not say: that is an answer, too.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case", expecting = "must be a number from 0 to 10, or `declined`")]
pub enum Mood {
    /// They would rather not say.
    Declined,
    /// What they say.
    #[serde(untagged)]
    Rated(Rating),
}

/// A mood as a number, from 0, as bad as can be, to [`MOOD_MAX`], as good as can be.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(try_from = "u8")]
pub struct Rating(u8);

impl Rating {
    /// The number.
    pub fn get(self) -> u8 {
        self.0
    }
}

impl TryFrom<u8> for Rating {
    type Error = &'static str;
    fn try_from(rating: u8) -> Result<Self, &'static str> {
        if rating <= MOOD_MAX { Ok(Self(rating)) } else { Err("must be a number from 0 to 10") }
    }
}

impl PartialSchema for Mood {
    fn schema() -> RefOr<utoipa::openapi::schema::Schema> {
        let rated = ObjectBuilder::new().schema_type(Type::Integer).minimum(Some(0)).maximum(Some(MOOD_MAX));
        let declined = ObjectBuilder::new().schema_type(Type::String).enum_values(Some(["declined"]));
        OneOfBuilder::new()
            .item(rated)
            .item(declined)
            .description(Some("From 0, as bad as can be, to 10, as good as can be; or that they would rather not say"))
            .into()
    }
}

impl ToSchema for Mood {
    fn name() -> Cow<'static, str> {
        "Mood".into()
    }
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, from_value, json, to_value};

    use super::*;

    #[test]
    fn a_mood_is_a_number_from_0_to_10_or_declined_and_nothing_else() {
        let all = (0..=MOOD_MAX).map(Value::from).chain([json!("declined")]);
        for said in all {
            assert_eq!(to_value(from_value::<Mood>(said.clone()).unwrap()).unwrap(), said);
        }
        for other in
            [json!(11), json!(-1), json!(5.5), json!("5"), json!("refused"), json!(null), json!({}), json!([3])]
        {
            let error = from_value::<Mood>(other.clone()).unwrap_err().to_string();
            assert_eq!(error, "must be a number from 0 to 10, or `declined`", "{other}");
        }
    }
}
