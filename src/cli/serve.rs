//! `serve`: the daemon.

use std::sync::Arc;

use crate::config::Config;
use crate::daemon::listener;
use crate::daemon::service::{self, ServeError, ServiceDependencies};
use crate::daemon::wakeup::Source;
use crate::domain::gap::GAP;
use crate::domain::record::Fault;
use crate::engine::error::{failure_classes, retry_classes};
use crate::engine::stage::Stage;
use crate::engine::throttle::Reason;
use crate::file_fault::FileFault;
use crate::keyring;
use crate::telemetry::logs::{self, LogLevelSetter};
use crate::telemetry::metrics::{self, Labels};

use super::command_context::CommandContext;
use super::exit::{Exit, Failure};

/// `serve`. Its log is the only thing on stderr, so that a line there is always an event.
pub async fn serve(context: &CommandContext) -> Result<Exit, Failure> {
    let config = context.config_to_log().map_err(refused)?;
    let log_level = logs::init_buffered(&config.log).map_err(Failure::failed)?;
    serve_logged(context, config, log_level)
        .await
        .map_err(refused)
}

fn refused(Failure { exit, sentence }: Failure) -> Failure {
    tracing::error!(
        event = "service_refused",
        exit_code = exit as u8,
        "{sentence}"
    );
    Failure::new(exit, "")
}

async fn serve_logged(
    context: &CommandContext,
    config: Config,
    log_level: LogLevelSetter,
) -> Result<Exit, Failure> {
    // Before anything else: what cannot be used now will not be usable in a minute either.
    keyring::load(&config.suppression.keyring_file)?;
    let listen = config.http.listen;
    let listener = listener::bind(listen).map_err(|error| {
        let fault = FileFault::from(&error);
        Failure::usage(format_args!(
            "cannot listen on {listen} ({fault}); {}",
            fault.advice("set [http] listen to an address of this machine and a port that is free")
        ))
    })?;
    let scrape = metrics::install(&Labels {
        stages: &Stage::ALL.map(Stage::name),
        participant_stages: &Stage::OF_PARTICIPANTS.map(Stage::name),
        error_classes: &failure_classes(),
        retry_reasons: &retry_classes(),
        throttle_reasons: &Reason::ALL.map(Reason::name),
        measured_reasons: &Reason::MEASURED.map(Reason::name),
        block_reasons: &[GAP],
        record_faults: &Fault::OF_LOOK.map(Fault::name),
        wakeup_sources: &Source::ALL.map(Source::name),
    })
    .map_err(|_| Failure::failed("the metrics were started twice"))?;
    let rereading = context.clone();
    let parts = ServiceDependencies {
        config,
        reread: Box::new(move || rereading.service_config()),
        listener,
        scrape,
        log_level,
        clock: Arc::clone(&context.clock),
        ids: Arc::clone(&context.ids),
        tzdata: context.tzdata.clone(),
    };
    service::serve(parts).await.map_err(|error| match error {
        ServeError::Open(error) => error.into(),
        error @ (ServeError::GracePeriod | ServeError::Signals(_) | ServeError::Listener(_)) => {
            Failure::failed(error)
        }
    })?;
    Ok(Exit::Done)
}
