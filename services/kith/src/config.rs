//! Configuration: defaults, then a file, then the environment (`KITH_…`), then flags; then [`Config::validate`].

use std::{
    net::{Ipv4Addr, SocketAddr},
    path::{Path, PathBuf},
};

use anyhow::{Context, bail};
use directory::calendar::PLAN_DAYS_MAX;
use figment::{
    Figment,
    providers::{Env, Format, Serialized, Toml},
};
use serde::{Deserialize, Serialize};

/// How one server runs.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Config {
    /// Folder of all that this server keeps.
    pub data: PathBuf,
    /// File with the key-encryption key, if it is not in `KITH_KEY` nor in the data directory.
    pub key_file: Option<PathBuf>,
    /// File to which every erasure is written as well, best on another disk: `kith restore` needs it.
    pub erasures_file: Option<PathBuf>,
    /// Address to listen at.
    pub listen: SocketAddr,
    /// NATS server to use, such as `nats://10.0.0.5:4222` or `tls://…`; if it is not given, one is started.
    pub nats: Option<String>,
    /// File with the NATS user's credentials.
    pub nats_credentials: Option<PathBuf>,
    /// Certificates (PEM) of the authority that signed the NATS server's.
    pub nats_ca: Option<PathBuf>,
    /// Copies of the stream in a NATS cluster, 1 to 5.
    pub nats_replicas: usize,
    /// The program `nats-server`, if it is not found by itself.
    pub nats_server: Option<PathBuf>,
    /// Most requests at once, a count.
    pub requests_max: usize,
    /// Longest time for a request, in seconds.
    pub request_seconds_max: u64,
    /// How far ahead meetings are planned, in days, 0 to 400; 0 plans none.
    pub plan_days: u16,
    /// What is logged, as `tracing` filters say it, such as `info,messaging=debug`.
    pub log: String,
    /// Whether log lines are JSON.
    pub log_json: bool,
}

impl Default for Config {
    fn default() -> Self {
        Self {
            data: "kith-data".into(),
            key_file: None,
            erasures_file: None,
            listen: (Ipv4Addr::LOCALHOST, 8080).into(),
            nats: None,
            nats_credentials: None,
            nats_ca: None,
            nats_replicas: 1,
            nats_server: None,
            requests_max: 1_024,
            request_seconds_max: 30,
            plan_days: 56,
            log: "info".into(),
            log_json: false,
        }
    }
}

impl Config {
    /// The configuration from all its sources; `flags` win.
    ///
    /// # Errors
    /// If a source cannot be read or a value cannot be.
    pub fn load(file: Option<&Path>, flags: impl Serialize) -> anyhow::Result<Self> {
        let mut figment = Figment::from(Serialized::defaults(Self::default()));
        if let Some(file) = file {
            figment = figment.merge(Toml::file_exact(file));
        }
        // `KITH_TOKEN` is for `kith import`, often in the same shell; `KITH_KEY` is a secret and stays out of here.
        let environment = Env::prefixed("KITH_").ignore(&["token", "key"]);
        let config: Self = figment.merge(environment).merge(Serialized::defaults(flags)).extract()?;
        config.validate().context("the configuration cannot be used")?;
        Ok(config)
    }

    fn validate(&self) -> anyhow::Result<()> {
        match self {
            _ if self.requests_max == 0 => bail!("requests_max must be at least 1"),
            _ if self.request_seconds_max == 0 => bail!("request_seconds_max must be at least 1 second"),
            _ if i32::from(self.plan_days) > PLAN_DAYS_MAX => {
                bail!("plan_days is {}, at most {PLAN_DAYS_MAX} are possible", self.plan_days)
            }
            _ if !(1..=5).contains(&self.nats_replicas) => bail!("nats_replicas must be 1 to 5"),
            _ if self.nats.is_none() && (self.nats_credentials.is_some() || self.nats_ca.is_some()) => {
                bail!("nats_credentials and nats_ca are for a server given as `nats`")
            }
            _ => Ok(()),
        }
    }

    /// The `nats-server` to start: as configured, beside the sources, or on the path.
    ///
    /// # Errors
    /// If there is none.
    pub(crate) fn nats_server(&self) -> anyhow::Result<PathBuf> {
        let found = || {
            let path = std::env::var_os("PATH")?;
            let tools = Path::new(".tools").to_path_buf();
            std::iter::once(tools)
                .chain(std::env::split_paths(&path))
                .map(|dir| dir.join("nats-server"))
                .find(|p| p.is_file())
        };
        self.nats_server.clone().or_else(found).context(
            "no nats-server found: install version 2.10 or later, name it with --nats-server, or give --nats URL; \
             in a checkout, `make tools` installs one",
        )
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn the_configuration_in_deploy_holds_the_defaults() {
        let file = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../deploy/config/kith.toml");
        let text = std::fs::read_to_string(&file).unwrap();
        // What has no default is there too, as a comment.
        let all = text
            .replace("# nats", "nats")
            .replace("# key_file", "key_file")
            .replace("# erasures_file", "erasures_file");
        let defaults: Config = Figment::from(Toml::string(&text)).extract().unwrap();
        let example: Config = Figment::from(Toml::string(&all)).extract().unwrap();
        assert_eq!(defaults, Config::default());
        let paths = [&example.nats_credentials, &example.nats_ca, &example.nats_server];
        assert!(paths.iter().chain(&[&example.key_file, &example.erasures_file]).all(|path| path.is_some()));
        example.validate().unwrap();
    }

    const EXAMPLE: &str = include_str!("../../../deploy/config/kith.toml");

    fn read(text: &str) -> Option<Config> {
        let config = Figment::from(Serialized::defaults(Config::default())).merge(Toml::string(text));
        config.extract().ok().filter(|config: &Config| config.validate().is_ok())
    }

    proptest! {
        #[test]
        fn any_file_is_a_configuration_that_can_be_said_again_or_none(
            noise in "(\\PC|\n){0,200}",
            key in prop::sample::select(vec!["data", "listen", "nats", "nats_replicas", "requests_max", "plan_days", "log_json"]),
            value in prop_oneof!["-?[0-9]{1,20}", "\"\\PC{0,30}\"", "[a-z0-9\"{}.,=\\[\\]]{0,20}"],
            (at, cut, put) in (any::<prop::sample::Index>(), 0usize..30, "(\\PC|\n){0,6}"),
        ) {
            let at = EXAMPLE.floor_char_boundary(at.index(EXAMPLE.len()));
            let end = EXAMPLE.floor_char_boundary((at + cut).min(EXAMPLE.len()));
            let broken = [&EXAMPLE[..at], &put, &EXAMPLE[end..]].concat();
            for text in [noise, format!("{key} = {value}"), broken] {
                if let Some(config) = read(&text) {
                    let again: Config = Figment::from(Serialized::defaults(&config)).extract().unwrap();
                    prop_assert_eq!(again, config, "{}", text);
                }
            }
        }
    }
}
