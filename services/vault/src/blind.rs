//! The blind index: digests by which two records of one person are recognised without either being opened.

use domain::{
    MemberId, OrgId,
    member::{Field, Fields, Profile},
};

use crate::{
    Country, Key, SealError,
    folded::{folded, words},
    open_profile, phone,
};

/// How values are compared: a digest of another way is none of ours. With it goes the country in which numbers are meant.
const FORM: &str = "3";

/// A digest of something that hardly two people share, made with a key of the organisation.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Blind(pub(crate) [u8; 32]);

impl Blind {
    /// All that follow from a member's sealed fields: the index that they must have.
    ///
    /// # Errors
    /// If a field does not open.
    pub fn implied(
        (key, org_key, country): (&Key, &Key, Option<Country>),
        org: &OrgId,
        member: MemberId,
        fields: &Fields,
    ) -> Result<Vec<Self>, SealError> {
        Ok(Self::all(org_key, country, &open_profile(key, org, member.0, fields, Field::ALL)?))
    }

    /// By which form all of an index was made.
    /// The country of a form, if it has one.
    ///
    /// # Errors
    /// If it is another build's.
    pub(crate) fn country(form: &str) -> Result<Option<Country>, ()> {
        let country = form.strip_prefix(FORM).ok_or(())?.trim();
        if country.is_empty() { Ok(None) } else { country.parse().map(Some).map_err(|_| ()) }
    }

    pub(crate) fn form(country: Option<Country>) -> String {
        country.map_or_else(|| FORM.to_owned(), |country| format!("{FORM} {country}"))
    }

    /// All of a profile: e-mail address, telephone number, each external id, full name with year of birth; each in the
    /// form in which it is compared. What has none, such as a number without digits, is shared with nobody.
    pub fn all(org_key: &Key, country: Option<Country>, profile: &Profile) -> Vec<Self> {
        let of = |kind: &str, value: String| Self(org_key.digest(format!("{kind}\0{value}").as_bytes()));
        let mut all = Vec::new();
        if let Some(email) = &profile.email {
            all.push(of("email", address(email.as_str())));
        }
        if let Some(number) = profile.phone.as_ref().and_then(|phone| phone::number(phone.as_str(), country)) {
            all.push(of("phone", number));
        }
        for id in profile.external_ids.iter().flatten() {
            all.push(of("external", format!("{}\0{}", folded(id.system.as_str()), id.value.as_str())));
        }
        if let (Some(given), Some(family), Some(year)) =
            (&profile.given_name, &profile.family_name, profile.year_of_birth)
        {
            let [given, family] = [given, family].map(|name| words(name.as_str()).join(" "));
            if !given.is_empty() && !family.is_empty() {
                all.push(of("name", format!("{given}\0{family}\0{year}")));
            }
        }
        all
    }
}

/// A mailbox: its name in any case, with or without quotes, without a tag (`+`), the domain in the form of DNS. Dots stay: what
/// they mean is for who runs it. What a tag means is too, but whoever reads one nearly always reads the other.
fn address(text: &str) -> String {
    let Some((local, domain)) = text.rsplit_once('@') else { return folded(text) };
    let domain = folded(domain.trim_end_matches('.'));
    let domain = idna::domain_to_ascii(&domain).unwrap_or(domain);
    format!("{}@{domain}", folded(&mailbox(local)))
}

/// What is before the `@`, without quotes and escapes (RFC 5321, 4.1.2), and without a tag.
fn mailbox(local: &str) -> String {
    let local = local.trim();
    let name = match local.strip_prefix('"').and_then(|rest| rest.strip_suffix('"')) {
        None => local.to_owned(),
        Some(quoted) => {
            let (mut name, mut escaped) = (String::with_capacity(quoted.len()), false);
            for c in quoted.chars() {
                escaped = c == '\\' && !escaped;
                if !escaped {
                    name.push(c);
                }
            }
            name
        }
    };
    match name.split_once('+') {
        Some((name, _)) if !name.is_empty() => name.to_owned(),
        _ => name,
    }
}

#[cfg(test)]
mod tests {
    use domain::member::ExternalId;
    use proptest::prelude::*;
    use unicode_normalization::UnicodeNormalization;

    use super::*;

    fn blinds(profile: serde_json::Value, country: &str) -> Vec<Blind> {
        let profile: Profile = serde_json::from_value(profile).unwrap();
        Blind::all(&Key::new([7; 32]), country.parse().ok(), &profile)
    }

    #[test]
    fn whoever_is_the_same_is_the_same_however_it_is_written() {
        use serde_json::json;
        for (one, other) in [
            (json!({ "email": "Bee@EXAMPLE.org" }), json!({ "email": "bee@example.org." })),
            (json!({ "email": "\"bee\"@example.org" }), json!({ "email": "bee@example.org" })),
            (json!({ "email": "\"b\\e\\e\"@example.org" }), json!({ "email": "bee@example.org" })),
            (json!({ "email": "bee+@example.org" }), json!({ "email": "Bee+group@example.org" })),
            (json!({ "email": "bee+group@example.org" }), json!({ "email": "bee@example.org" })),
            (json!({ "email": "bee@b\u{fc}cher.example" }), json!({ "email": "BEE@XN--BCHER-KVA.example" })),
            (json!({ "phone": "+44 20 7946 0001" }), json!({ "phone": "0044 (0)20 7946-0001" })),
            (json!({ "phone": "+44 20 7946 0001" }), json!({ "phone": "020 7946 0001" })),
            (
                json!({ "given_name": "Zo\u{eb}", "family_name": "Gro\u{df}-B\u{f8}e", "year_of_birth": 1980 }),
                json!({ "given_name": "ZOE\u{308}", "family_name": "gross boe", "year_of_birth": 1980 }),
            ),
            (
                json!({ "external_ids": [{ "system": "Old \u{c9}cole", "value": "A1" }] }),
                json!({ "external_ids": [{ "system": "old  e\u{301}cole", "value": "A1" }] }),
            ),
        ] {
            let (one, other) = (blinds(one, "GB"), blinds(other, "GB"));
            assert_eq!((one.len(), &one), (1, &other));
        }
        for (one, other) in [
            (json!({ "email": "jose@a.example" }), json!({ "email": "jos\u{e9}@a.example" })),
            (json!({ "email": "b.ee@a.example" }), json!({ "email": "bee@a.example" })),
            (json!({ "phone": "020 7946 0001" }), json!({ "phone": "020 7946 0002" })),
        ] {
            assert_ne!(blinds(one, "GB"), blinds(other, "GB"));
        }
    }

    #[test]
    fn what_is_no_number_or_name_is_shared_with_nobody() {
        use serde_json::json;
        for nothing in ["n/a", "none", "-", "0", "000000", "ask"] {
            assert!(blinds(json!({ "phone": nothing }), "").is_empty(), "{nothing}");
        }
        let dashes = json!({ "given_name": "-", "family_name": "-", "year_of_birth": 1980 });
        assert!(blinds(dashes, "").is_empty());
    }

    proptest! {
        #[test]
        fn no_composition_case_or_spacing_makes_somebody_else(given in "\\PC{1,20}", family in "\\PC{1,20}", system in "\\PC{1,20}", local in "[a-zA-Z.\u{e4}\u{df}\u{f8}]{1,12}") {
            let of = |change: &dyn Fn(&str) -> String| {
                let profile = Profile {
                    given_name: change(&given).parse().ok(),
                    family_name: change(&family).parse().ok(),
                    year_of_birth: Some(1980),
                    email: change(&format!("{local}@example.org")).parse().ok(),
                    external_ids: change(&system).parse().ok().map(|system| vec![ExternalId { system, value: "1".parse().unwrap() }]),
                    ..Profile::default()
                };
                Blind::all(&Key::new([7; 32]), None, &profile)
            };
            let as_it_is = of(&str::to_owned);
            prop_assert_eq!(of(&|text| text.nfd().collect()), as_it_is.clone());
            prop_assert_eq!(of(&|text| format!(" {text}\u{a0} ")), as_it_is.clone());
            prop_assert_eq!(of(&|text| text.replace(' ', " \u{2003}")), as_it_is);
        }
    }
}
