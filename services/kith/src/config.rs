//! Configuration: defaults, then a file, then the environment (`KITH_…`), then flags; then [`Config::validate`].

use std::{
    collections::BTreeMap,
    net::{IpAddr, Ipv4Addr, SocketAddr},
    path::{Path, PathBuf},
    sync::Arc,
    time::Duration,
};

use anyhow::{Context, bail};
use directory::calendar::PLAN_DAYS_MAX;
use figment::{
    Figment,
    providers::{Env, Format, Serialized, Toml},
};
use host::{Mail, MailServer, MailTls, Outgoing};
use jiff::tz::TimeZone;
use serde::{Deserialize, Serialize};
use vault::Country;
use web::{Mapping, Provider, Rate, Rates, Role};
use zeroize::Zeroizing;

use crate::{
    Service,
    forwarded::Proxies,
    oidc::{Fetcher, secure},
    private,
    service::Services,
    tls::Tls,
};

/// Most that may be written into the audit of one caller's looks, in MiB a day.
const AUDIT_MIB_PER_DAY_MAX: u32 = 4_095;
/// Largest limit of room on the disk, in MiB.
const DISK_MIB_MAX: u64 = 1 << 20;

/// How one server runs.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
#[allow(clippy::struct_excessive_bools)] // each is a setting of its own
pub struct Config {
    /// Folder of all that this server keeps.
    pub data: PathBuf,
    /// Which services this process has; all of them if none is named.
    pub services: Vec<Service>,
    /// `KurrentDB` with the event log, such as `esdb://user:password@host:2113`; if it is not given, the log is in the
    /// data directory.
    pub eventstore: Option<String>,
    /// Folder of what several processes on this machine share: the vault and the keys; if it is not given, the data
    /// directory.
    pub shared: Option<PathBuf>,
    /// File with the key-encryption key, if it is not in `KITH_KEY` nor in the data directory.
    pub key_file: Option<PathBuf>,
    /// File to which every erasure is written as well, best on another disk: `kith restore` needs it.
    pub erasures_file: Option<PathBuf>,
    /// Country, in two letters such as `GB`, in which telephone numbers are meant that do not name theirs.
    pub phone_country: Option<String>,
    /// Time zone of the IANA database in which days are that belong to no group, or to one without a calendar: of
    /// registrations, consents, wishes. The same in all processes.
    pub time_zone: String,
    /// Address to listen at.
    pub listen: SocketAddr,
    /// Address at which operators ask `/readyz` for details and `/metrics`: it tells how busy each part is, so let
    /// nobody else reach it.
    pub ops_listen: SocketAddr,
    /// NATS server to use, such as `nats://10.0.0.5:4222` or `tls://…`, with the user who reads; if it is not given, one
    /// is started.
    pub nats: Option<String>,
    /// File with the credentials of the NATS user who reads.
    pub nats_credentials: Option<PathBuf>,
    /// The same NATS server with the user who may publish events, for the service relay: the only one who should. If it is not
    /// given, that is the user who reads.
    pub nats_relay: Option<String>,
    /// File with the credentials of the NATS user who may publish.
    pub nats_relay_credentials: Option<PathBuf>,
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
    /// Room on the disk below which that is said, in MiB.
    pub disk_low_mib: u64,
    /// Room on the disk below which commands are refused, but for those that protect people, in MiB; below half of it,
    /// reads that are written down are refused, too.
    pub disk_full_mib: u64,
    /// Room that is held for those, in MiB, and eight times the size of the vault, which an erasure writes anew: a quarter
    /// of it is given back whenever they need it.
    pub disk_reserve_mib: u64,
    /// Goes on although the vault's keys are lost, with all that was known of people.
    #[serde(skip)]
    pub accept_lost_keys: bool,
    /// How far ahead meetings are planned, in days, 0 to 400; 0 plans none.
    pub plan_days: u16,
    /// Most connections at once, a count; for another one, whoever is waited for longest goes. Below the limit of open
    /// files, which the log needs too.
    pub connections_max: usize,
    /// Most connections at once from each address, or requests at once of those whom a proxy passes on; a count, 0 for
    /// any number. Addresses of one IPv6 customer (/56) are one, here and in all limits of addresses.
    pub address_connections_max: usize,
    /// Longest time for a request's head, and for a connection without a request, in seconds.
    pub head_seconds_max: u64,
    /// Requests that each caller may send, per second; 0 for any number.
    pub caller_per_second: u32,
    /// Requests that a caller may send at once.
    pub caller_burst: u32,
    /// Requests that may come from each address, per second; 0 for any number. Behind a proxy, name it in
    /// `trusted_proxies`: else all who use it are one address.
    pub address_per_second: u32,
    /// Requests that may come from an address at once.
    pub address_burst: u32,
    /// Requests without a valid token that may come from each address, per minute; 0 for any number.
    pub refused_per_minute: u32,
    /// Requests for what anybody may read without a token, the lists of groups, that may come from each address, per second;
    /// 0 for any number.
    pub public_per_second: u32,
    /// Such requests that may come from an address at once.
    pub public_burst: u32,
    /// Networks of proxies that are believed when they say for whom they ask, such as `10.0.0.0/8`.
    pub trusted_proxies: Vec<String>,
    /// The header in which they say it, `x-forwarded-for` or `forwarded`. The other one is not looked at: proxies pass it
    /// on as it came.
    pub forwarded_header: String,
    /// What may be written into the audit of what each caller looks at, in MiB a day, an hour's share of it at once; 0
    /// for any amount. Who has seen more is asked to wait.
    pub audit_mib_per_day: u32,
    /// Origins of pages that may use the API from browsers, such as `https://app.example.org`.
    pub cors_origins: Vec<String>,
    /// Certificates (PEM) of the listener, its own first; without them it speaks HTTP. Read again on SIGHUP.
    pub tls_certificate: Option<PathBuf>,
    /// Key (PEM) of the first certificate.
    pub tls_key: Option<PathBuf>,
    /// Whether tokens of the built-in issuer (`kith token`) are accepted.
    pub builtin_issuer: bool,
    /// OpenID Connect provider whose access tokens are accepted, as it writes itself.
    pub oidc_issuer: Option<String>,
    /// For whom its tokens must be.
    pub oidc_audience: Option<String>,
    /// Where its keys are, if it does not say so itself.
    pub oidc_jwks_url: Option<String>,
    /// The claim with the role, by name or as a JSON pointer such as `/realm_access/roles`.
    pub oidc_role_claim: String,
    /// The claim with the organisation's id.
    pub oidc_org_claim: String,
    /// The claim with a facilitator's groups.
    pub oidc_groups_claim: String,
    /// The provider's words for our roles; without any, it uses ours.
    pub oidc_role_map: BTreeMap<String, Role>,
    /// Whether endpoints of webhooks may be spoken to without TLS: for tests and inner networks.
    pub webhook_plain_http: bool,
    /// Whether endpoints of webhooks may have addresses that are none of the internet: else nobody can have this server
    /// ask what stands beside it.
    pub webhook_private_addresses: bool,
    /// Mail server that takes what is written to people; without it, nobody is written to.
    pub smtp_host: Option<String>,
    /// Its port.
    pub smtp_port: u16,
    /// How it is spoken to: `required` (STARTTLS or not at all), `implicit` (TLS from the first byte on), `opportunistic` (only on
    /// this machine).
    pub smtp_tls: MailTls,
    /// As whom, if it asks.
    pub smtp_user: Option<String>,
    /// File with the password.
    pub smtp_password_file: Option<PathBuf>,
    /// Who sends: an address of nobody in particular.
    pub mail_from: Option<String>,
    /// Where people find Kith: all that is written to them.
    pub public_url: Option<String>,
    /// At which hour, 0 to 23, in the zone of `time_zone`, people who work here are told what is not urgent.
    pub mail_hour: i8,
    /// What is logged, as `tracing` filters say it, such as `info,messaging=debug`.
    pub log: String,
    /// Whether log lines are JSON.
    pub log_json: bool,
}

impl Default for Config {
    fn default() -> Self {
        Self {
            data: "kith-data".into(),
            services: Vec::new(),
            eventstore: None,
            shared: None,
            key_file: None,
            erasures_file: None,
            phone_country: None,
            time_zone: "UTC".into(),
            listen: (Ipv4Addr::LOCALHOST, 8080).into(),
            ops_listen: (Ipv4Addr::LOCALHOST, 9464).into(),
            nats: None,
            nats_credentials: None,
            nats_relay: None,
            nats_relay_credentials: None,
            nats_ca: None,
            nats_replicas: 1,
            nats_server: None,
            requests_max: 1_024,
            request_seconds_max: 30,
            disk_low_mib: 1_024,
            disk_full_mib: 256,
            disk_reserve_mib: 64,
            accept_lost_keys: false,
            plan_days: 56,
            connections_max: 768,
            address_connections_max: 192,
            head_seconds_max: 20,
            caller_per_second: 50,
            caller_burst: 500,
            address_per_second: 200,
            address_burst: 2_000,
            refused_per_minute: 60,
            public_per_second: 5,
            public_burst: 100,
            trusted_proxies: Vec::new(),
            forwarded_header: "x-forwarded-for".into(),
            audit_mib_per_day: 256,
            cors_origins: Vec::new(),
            tls_certificate: None,
            tls_key: None,
            builtin_issuer: true,
            oidc_issuer: None,
            oidc_audience: None,
            oidc_jwks_url: None,
            oidc_role_claim: "role".into(),
            oidc_org_claim: "org".into(),
            oidc_groups_claim: "groups".into(),
            oidc_role_map: BTreeMap::new(),
            webhook_plain_http: false,
            webhook_private_addresses: false,
            smtp_host: None,
            smtp_port: 587,
            smtp_tls: MailTls::default(),
            smtp_user: None,
            smtp_password_file: None,
            mail_from: None,
            public_url: None,
            mail_hour: 8,
            // What the client of KurrentDB has to say, the log's health says once.
            log: "info,eventstore=off".into(),
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
            keeps_passwords(file)?;
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
            _ if self.nats.is_none() && self.nats_credentials.is_some() => {
                bail!("nats_credentials are for a server given as `nats`")
            }
            _ if !self.nats_given() && (self.nats_relay_credentials.is_some() || self.nats_ca.is_some()) => {
                bail!("nats_relay_credentials and nats_ca are for a server given as `nats` or `nats_relay`")
            }
            _ if self.audit_mib_per_day > AUDIT_MIB_PER_DAY_MAX => {
                bail!("audit_mib_per_day is {}, at most {AUDIT_MIB_PER_DAY_MAX} are possible", self.audit_mib_per_day)
            }
            _ if self.disk_low_mib < self.disk_full_mib => bail!("disk_low_mib must be at least disk_full_mib"),
            _ if self.disk_low_mib > DISK_MIB_MAX || self.disk_reserve_mib > DISK_MIB_MAX => {
                bail!("disk_low_mib and disk_reserve_mib are at most {DISK_MIB_MAX} MiB")
            }
            _ if self.connections_max == 0 => bail!("connections_max must be at least 1"),
            _ if self.head_seconds_max == 0 => bail!("head_seconds_max must be at least 1 second"),
            _ if self.tls_certificate.is_some() != self.tls_key.is_some() => {
                bail!("tls_certificate and tls_key are given together or not at all")
            }
            _ => {
                self.country()?;
                self.zone()?;
                self.proxies()?;
                Services::of(self)?;
                self.validate_mail()?;
                self.validate_callers()
            }
        }
    }

    /// Whether there is a NATS server that is not ours to start.
    pub(crate) fn nats_given(&self) -> bool {
        self.nats.is_some() || self.nats_relay.is_some()
    }

    fn validate_callers(&self) -> anyhow::Result<()> {
        for url in [&self.oidc_issuer, &self.oidc_jwks_url].into_iter().flatten() {
            secure(url)?;
        }
        for origin in &self.cors_origins {
            secure(origin)?;
            if origin.matches('/').count() != 2 {
                bail!("cors_origins: {origin} must be an origin such as https://app.example.org, without a path");
            }
        }
        match &self.oidc_issuer {
            Some(_) if self.oidc_audience.is_none() => bail!("oidc_issuer needs oidc_audience"),
            None if self.oidc_audience.is_some() || self.oidc_jwks_url.is_some() => {
                bail!("oidc_audience and oidc_jwks_url are for a provider given as oidc_issuer")
            }
            None if !self.builtin_issuer => bail!("without oidc_issuer and builtin_issuer nobody could call"),
            _ => Ok(()),
        }
    }

    /// How often may be asked: callers, addresses, refusals.
    pub(crate) fn rates(&self) -> Rates {
        const SECOND: Duration = Duration::from_secs(1);
        Rates::new([
            Rate::new(self.caller_per_second, SECOND, self.caller_burst),
            Rate::new(self.address_per_second, SECOND, self.address_burst),
            Rate::new(self.refused_per_minute, 60 * SECOND, self.refused_per_minute),
        ])
        .auditing(self.audit_rate())
        .showing(Rate::new(self.public_per_second, SECOND, self.public_burst))
    }

    /// Bytes of the audit for each caller.
    fn audit_rate(&self) -> Option<Rate> {
        let a_day = self.audit_mib_per_day << 20;
        Rate::new(a_day, Duration::from_hours(24), a_day / 24)
    }

    fn validate_mail(&self) -> anyhow::Result<()> {
        if let Some(url) = &self.public_url {
            secure(url)?;
        }
        let Some(host) = &self.smtp_host else { return Ok(()) };
        let here = host == "localhost" || host.parse::<IpAddr>().is_ok_and(|address| address.is_loopback());
        let from = self.mail_from.as_deref().unwrap_or_default();
        match () {
            () if self.public_url.is_none() => bail!("smtp_host needs public_url: all that is written to people"),
            () if from.split_once('@').is_none_or(|(name, domain)| name.is_empty() || domain.is_empty()) => {
                bail!("smtp_host needs mail_from, an address such as kith@example.org")
            }
            () if self.smtp_tls == MailTls::Opportunistic && !here => {
                bail!("smtp_tls is opportunistic, which is possible with a mail server on this machine only")
            }
            () if self.smtp_user.is_some() != self.smtp_password_file.is_some() => {
                bail!("smtp_user and smtp_password_file are given together or not at all")
            }
            () if !(0..24).contains(&self.mail_hour) => bail!("mail_hour must be 0 to 23"),
            () => Ok(()),
        }
    }

    /// What may leave the house, and by which way.
    ///
    /// # Errors
    /// If the password of the mail server cannot be read.
    pub(crate) fn outgoing(&self) -> anyhow::Result<Outgoing> {
        let mail = match (&self.smtp_host, &self.mail_from, &self.public_url) {
            (Some(host), Some(from), Some(public_url)) => {
                let login = self.smtp_user.clone().zip(self.smtp_password()?);
                let (host, port, tls, from) = (host.clone(), self.smtp_port, self.smtp_tls, from.clone());
                let server = MailServer { host, port, tls, login, from };
                Some(Mail { server, public_url: public_url.as_str().into(), hour: self.mail_hour })
            }
            _ => None,
        };
        let (plain_endpoints, private_endpoints) = (self.webhook_plain_http, self.webhook_private_addresses);
        Ok(Outgoing { plain_endpoints, private_endpoints, mail })
    }

    fn smtp_password(&self) -> anyhow::Result<Option<Zeroizing<String>>> {
        let Some(file) = &self.smtp_password_file else { return Ok(None) };
        private::check_file(file)?;
        let read = std::fs::read_to_string(file).with_context(|| format!("{} cannot be read", file.display()))?;
        Ok(Some(Zeroizing::new(read.trim().to_owned())))
    }

    /// In which telephone numbers are meant that do not name theirs.
    ///
    /// # Errors
    /// If it is no country.
    pub(crate) fn country(&self) -> anyhow::Result<Option<Country>> {
        let country = self.phone_country.as_deref().map(str::parse).transpose();
        country.map_err(|error: vault::NoCountry| anyhow::anyhow!("phone_country {error}"))
    }

    /// In which days are that belong to no group.
    ///
    /// # Errors
    /// If it is no zone.
    pub(crate) fn zone(&self) -> anyhow::Result<TimeZone> {
        let zone = domain::zone_name(&self.time_zone).and_then(|name| domain::time_zone(&name));
        zone.context("time_zone must be the name of a zone of the IANA database, such as Europe/Berlin")
    }

    /// Proxies that are believed.
    ///
    /// # Errors
    /// If they cannot be read.
    pub(crate) fn proxies(&self) -> anyhow::Result<Proxies> {
        Proxies::new(&self.trusted_proxies, &self.forwarded_header)
    }

    /// The provider whose tokens are accepted, if one is.
    ///
    /// # Errors
    /// If its keys cannot be fetched from there.
    pub(crate) fn provider(&self) -> anyhow::Result<Option<Provider>> {
        let (Some(issuer), Some(audience)) = (&self.oidc_issuer, &self.oidc_audience) else { return Ok(None) };
        let mapping = Mapping {
            issuer: issuer.clone(),
            audience: audience.clone(),
            role_claim: self.oidc_role_claim.clone(),
            org_claim: self.oidc_org_claim.clone(),
            groups_claim: self.oidc_groups_claim.clone(),
            roles: self.oidc_role_map.clone(),
        };
        Ok(Some(Provider::new(mapping, Arc::new(Fetcher::new(issuer, self)?))))
    }

    /// The listener's certificates, if it has any.
    ///
    /// # Errors
    /// If they cannot be read.
    pub(crate) fn tls(&self) -> anyhow::Result<Option<Arc<Tls>>> {
        let files = self.tls_certificate.as_ref().zip(self.tls_key.as_ref());
        files.map(|(certificate, key)| Ok(Arc::new(Tls::load(certificate, key)?))).transpose()
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

/// Refuses a file with a password in it that others can read.
fn keeps_passwords(file: &Path) -> anyhow::Result<()> {
    let given = Figment::from(Toml::file_exact(file));
    let password = |setting: &&str| given.extract_inner::<String>(setting).is_ok_and(|url| url.contains('@'));
    match ["eventstore", "nats", "nats_relay"].into_iter().find(password) {
        Some(setting) => private::check_file(file).with_context(|| format!("{setting} has a password")),
        None => Ok(()),
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
            .replace("# eventstore", "eventstore")
            .replace("# shared", "shared")
            .replace("# key_file", "key_file")
            .replace("# erasures_file", "erasures_file")
            .replace("# phone_country", "phone_country")
            .replace("# tls", "tls")
            .replace("# oidc", "oidc")
            .replace("# smtp", "smtp")
            .replace("# mail_from", "mail_from")
            .replace("# public_url", "public_url");
        let defaults: Config = Figment::from(Toml::string(&text)).extract().unwrap();
        let example: Config = Figment::from(Toml::string(&all)).extract().unwrap();
        assert_eq!(defaults, Config::default());
        let files =
            [&example.nats_credentials, &example.nats_relay_credentials, &example.nats_ca, &example.nats_server];
        let files = files.into_iter().chain([
            &example.tls_certificate,
            &example.tls_key,
            &example.key_file,
            &example.erasures_file,
            &example.shared,
            &example.smtp_password_file,
        ]);
        let texts = [
            &example.eventstore,
            &example.oidc_issuer,
            &example.oidc_audience,
            &example.oidc_jwks_url,
            &example.phone_country,
            &example.smtp_host,
            &example.smtp_user,
            &example.mail_from,
            &example.public_url,
            &example.nats,
            &example.nats_relay,
        ];
        assert!(files.into_iter().all(Option::is_some) && texts.iter().all(|text| text.is_some()));
        example.validate().unwrap();
    }

    #[test]
    fn what_would_leave_the_door_open_or_shut_is_refused() {
        let wrong: [fn(&mut Config); 13] = [
            |config| config.oidc_issuer = Some("https://id.example".into()),
            |config| config.oidc_audience = Some("kith".into()),
            |config| config.builtin_issuer = false,
            |config| {
                config.oidc_issuer = Some("http://id.example".into());
                config.oidc_audience = Some("kith".into());
            },
            |config| config.tls_key = Some("key.pem".into()),
            |config| config.cors_origins = vec!["*".into()],
            |config| config.cors_origins = vec!["https://app.example.org/".into()],
            |config| config.cors_origins = vec!["http://app.example.org".into()],
            |config| config.connections_max = 0,
            |config| config.head_seconds_max = 0,
            |config| config.trusted_proxies = vec!["10.0.0.0/33".into()],
            |config| config.forwarded_header = "x-real-ip".into(),
            |config| config.time_zone = "Mars/Olympus".into(),
        ];
        for (n, wrong) in wrong.into_iter().enumerate() {
            let mut config = Config::default();
            wrong(&mut config);
            assert!(config.validate().is_err(), "{n}");
        }
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
            key in prop::sample::select(vec!["data", "listen", "nats", "nats_replicas", "requests_max", "plan_days", "time_zone", "log_json"]),
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
