//! The command line.

use std::{io::Write, process::ExitCode};

use anyhow::Context;
use clap::Parser;
use tokio::{
    runtime::Builder,
    signal::unix::{SignalKind, signal},
};

use crate::{
    Config,
    args::{Cli, Command, Import, InstrumentCommand, Verify},
    attack, backup,
    data_dir::ServerData,
    import, instrument, keys, private, receipt, report, restore, schemas, suppress, telemetry, token, verify,
};

/// Most threads that wait for disks at once, a count. Each has a stack and mostly a connection to SQLite.
const BLOCKING_THREADS_MAX: usize = 64;

/// Runs the command line.
pub fn run() -> ExitCode {
    let cli = Cli::parse();
    let run = || {
        // Before there is another thread, or anything to be hidden.
        private::shut()?;
        let runtime = Builder::new_multi_thread().enable_all().max_blocking_threads(BLOCKING_THREADS_MAX).build()?;
        runtime.block_on(command(cli.command))
    };
    match run() {
        Ok(code) => code,
        Err(error) => {
            eprintln!("kith: {error:#}");
            ExitCode::FAILURE
        }
    }
}

async fn command(command: Command) -> anyhow::Result<ExitCode> {
    let mut out = std::io::stdout().lock();
    match command {
        Command::Serve(flags) => {
            let config = Config::load(flags.config.as_deref(), &flags)?;
            serve(&Config { accept_lost_keys: flags.accept_lost_keys, ..config }).await?;
        }
        Command::Token(asked) => writeln!(out, "{}", token::make(asked)?)?,
        Command::Import(Import::Bmlt(asked)) => out.write_all(import::bmlt(asked).await?.as_bytes())?,
        Command::Import(Import::Calendar(asked)) => out.write_all(import::calendar(asked).await?.as_bytes())?,
        Command::Import(Import::MeetingGuide(asked)) => {
            out.write_all(import::meeting_guide(asked).await?.as_bytes())?;
        }
        Command::Import(Import::Naws(asked)) => out.write_all(import::naws(asked).await?.as_bytes())?,
        Command::Import(Import::Groups(asked)) => out.write_all(import::groups(asked).await?.as_bytes())?,
        Command::Import(Import::Hsds(asked)) => out.write_all(import::hsds(asked).await?.as_bytes())?,
        Command::Import(Import::Members(asked)) => {
            let (report, well) = import::members(asked).await?;
            out.write_all(report.as_bytes())?;
            return Ok(exit(well));
        }
        Command::Import(Import::CheckIns(asked)) => {
            let (report, well) = import::check_ins(asked).await?;
            out.write_all(report.as_bytes())?;
            return Ok(exit(well));
        }
        Command::Import(Import::Attendance(asked)) => {
            let (report, well) = import::attendance(asked).await?;
            out.write_all(report.as_bytes())?;
            return Ok(exit(well));
        }
        Command::Suppress(asked) => return judged(&mut out, suppress::run(&asked)),
        Command::Attack(asked) => return judged(&mut out, attack::run(&asked)),
        Command::Report(asked) => out.write_all(report::run(&asked)?.as_bytes())?,
        Command::Verify(Verify { data, eventstore, shared, receipt: Some(receipt) }) => {
            let at = ServerData { data, eventstore, shared };
            let checks = receipt::check(&at, &receipt).await?;
            write!(out, "{checks}")?;
            return Ok(exit(checks.hold()));
        }
        Command::Verify(Verify { data, eventstore, shared, receipt: None }) => {
            let findings = verify::verify(&ServerData { data, eventstore, shared }).await?;
            write!(out, "{findings}")?;
            return Ok(exit(findings.sound()));
        }
        Command::Backup(asked) => out.write_all(backup::run(&asked)?.as_bytes())?,
        Command::Restore(asked) => {
            let (said, findings) = restore::run(&asked).await?;
            write!(out, "{said}{findings}")?;
            return Ok(exit(findings.sound()));
        }
        Command::Key { out: file } => keys::make(&file)?,
        Command::RotateKey(asked) => out.write_all(keys::rotate(&asked)?.as_bytes())?,
        Command::Instrument(InstrumentCommand::Check { file }) => {
            let (said, right) = instrument::check(&file)?;
            out.write_all(said.as_bytes())?;
            return Ok(exit(right));
        }
        Command::Schemas { out: folder } => schemas::write(&folder)?,
    }
    Ok(ExitCode::SUCCESS)
}

fn exit(well: bool) -> ExitCode {
    if well { ExitCode::SUCCESS } else { ExitCode::FAILURE }
}

/// Of commands that judge: 1 says that something was found, 2 that nothing could be said.
fn judged(out: &mut impl Write, judged: anyhow::Result<(String, bool)>) -> anyhow::Result<ExitCode> {
    match judged {
        Ok((said, well)) => {
            out.write_all(said.as_bytes())?;
            Ok(exit(well))
        }
        Err(error) => {
            eprintln!("kith: {error:#}");
            Ok(ExitCode::from(2))
        }
    }
}

async fn serve(config: &Config) -> anyhow::Result<()> {
    telemetry::log(config).context("log: the filter cannot be read")?;
    let (mut terminate, mut interrupt) = (signal(SignalKind::terminate())?, signal(SignalKind::interrupt())?);
    let mut hang_up = signal(SignalKind::hangup())?;
    let running = crate::serve(config, crate::clock()).await?;
    let (scheme, at) = (if running.tls() { "https" } else { "http" }, running.address);
    tracing::info!("operators ask http://{}/readyz and /metrics", running.ops);
    tracing::info!(data = %config.data.display(), "kith is at {scheme}://{at}, its explorer at {scheme}://{at}/docs");
    loop {
        tokio::select! {
            _ = terminate.recv() => break,
            _ = interrupt.recv() => break,
            _ = hang_up.recv() => match running.reload() {
                Ok(()) => tracing::info!("certificates were read again"),
                Err(error) => tracing::error!("certificates stay as they were: {error:#}"),
            },
            why = running.fallen() => {
                tracing::error!(why, "ending, because going on would not be safe");
                running.stop().await;
                anyhow::bail!("{why}; the lines above say more");
            }
        }
    }
    tracing::info!("ending");
    running.stop().await;
    Ok(())
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use figment::Jail;
    use yaml_rust2::{Yaml, YamlLoader};

    use super::*;
    use crate::{Service, Services};

    /// What a mapping of YAML says, with what it takes over from another (`<<`).
    fn merged(mapping: &Yaml) -> BTreeMap<&str, &Yaml> {
        let Some(own) = mapping.as_hash() else { return BTreeMap::new() };
        let mut all = merged(&mapping["<<"]);
        all.extend(own.iter().map(|(key, value)| (key.as_str().unwrap(), value)));
        all.remove("<<");
        all
    }

    /// As far as that can be seen without an engine that runs it: every command line and setting is one of this build.
    #[test]
    #[allow(clippy::result_large_err)] // figment's own
    fn the_composition_for_many_runs_each_service_twice_with_settings_that_hold() {
        let text = include_str!("../../../deploy/compose.scaled.yaml");
        let composition = &YamlLoader::load_from_str(text).unwrap()[0];
        let services = merged(&composition["services"]);
        let mut times = BTreeMap::<String, u32>::new();
        for service in services.values().map(|service| merged(service)) {
            if service["image"].as_str() != Some("kith") {
                continue;
            }
            let command = service["command"].as_vec().unwrap().iter().map(|word| word.as_str().unwrap());
            let Command::Serve(flags) = Cli::try_parse_from(["kith"].into_iter().chain(command)).unwrap().command
            else {
                panic!("it serves")
            };
            let environment = merged(service["environment"]);
            let mut checked = None;
            Jail::expect_with(|jail| {
                for (name, value) in &environment {
                    jail.set_env(name, value.as_str().unwrap());
                }
                checked = Some(Config::load(None, &flags));
                Ok(())
            });
            let config = checked.unwrap().unwrap();
            Services::of(&config).unwrap();
            assert!(config.nats_replicas == 3 && config.shared.is_some() && config.eventstore.is_some());
            for service in config.services.iter().flat_map(|service| service.named()) {
                *times.entry(service.to_string()).or_default() += 1;
            }
        }
        assert_eq!(times.len(), Service::each().count());
        assert!(times.values().all(|times| *times == 2), "{times:?}");
        let nats = services.keys().filter(|name| name.starts_with("nats-")).count();
        assert_eq!(nats, 3);
    }
}
