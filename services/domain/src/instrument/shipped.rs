//! The instruments that come with Kith, from `schemas/instruments/`.

use std::sync::LazyLock;

use super::{Id, Instrument};

macro_rules! files {
    ($($id:literal),+ $(,)?) => {
        /// The definitions as they are in their files, by id.
        pub(super) const FILES: &[(&str, &str)] =
            &[$(($id, include_str!(concat!("../../../../schemas/instruments/", $id, ".json")))),+];
    };
}

files! {
    "barc-10",
    "bdi-ii",
    "core-10",
    "dialog",
    "gad-2",
    "gad-7",
    "ons-loneliness",
    "ons4",
    "phq-2",
    "phq-4",
    "phq-9",
    "reqol-10",
    "semcd-6",
    "swemwbs",
    "ucla-3",
    "who-5",
    "wsas",
}

/// The instruments that come with Kith.
pub static SHIPPED: LazyLock<Vec<Instrument>> = LazyLock::new(|| {
    let load = |(id, json): &(&str, &str)| {
        Instrument::from_json(json).unwrap_or_else(|error| panic!("schemas/instruments/{id}.json: {error:?}"))
    };
    FILES.iter().map(load).collect()
});

/// The instrument that comes with Kith under this id and version.
pub fn shipped(id: &Id, version: u16) -> Option<&'static Instrument> {
    SHIPPED.iter().find(|instrument| instrument.id == *id && instrument.version == version)
}
