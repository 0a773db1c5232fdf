//! Windows: the service control manager.

use std::ffi::OsString;
use std::sync::{Arc, Mutex, OnceLock, PoisonError};
use std::thread;
use std::time::{Duration, Instant};

use tracing::{debug, info, warn};
use windows_service::define_windows_service;
use windows_service::service::{
    Service, ServiceAccess, ServiceAction, ServiceActionType, ServiceControl, ServiceControlAccept,
    ServiceErrorControl, ServiceExitCode, ServiceFailureActions, ServiceFailureResetPeriod, ServiceInfo,
    ServiceStartType, ServiceState, ServiceStatus, ServiceType,
};
use windows_service::service_control_handler::{self, ServiceControlHandlerResult, ServiceStatusHandle};
use windows_service::service_dispatcher;
use windows_service::service_manager::{ServiceManager, ServiceManagerAccess};

use super::{DESCRIPTION, DISPLAY_NAME, NAME, OrderSender, Orders, Registration, ServiceError, Standing, orders};
use crate::causes::with_causes;

/// Pauses before the service manager starts a failed agent again: the last one counts from the third failure on.
const RECOVERY: [Duration; 3] = [Duration::from_secs(5), Duration::from_secs(30), Duration::from_mins(1)];
/// After so long without a failure, the next one counts as the first.
const FORGET_FAILURES: Duration = Duration::from_hours(24);
/// How long stopping may take: work that cannot be interrupted, and the farewell to stores that hang.
const STOPPING: Duration = Duration::from_secs(30);
/// How long a person waits for a service to start or stop.
const PATIENCE: Duration = Duration::from_secs(45);
const LOOK_EVERY: Duration = Duration::from_millis(100);

/// `ERROR_FAILED_SERVICE_CONTROLLER_CONNECT`.
const NOT_FROM_MANAGER: i32 = 1063;
/// `ERROR_SERVICE_DOES_NOT_EXIST`.
const DOES_NOT_EXIST: i32 = 1060;
/// `ERROR_SERVICE_MARKED_FOR_DELETE`: it goes when the last who looks at it looks away.
const MARKED_FOR_DELETE: i32 = 1072;
/// `ERROR_SERVICE_NOT_ACTIVE`.
const NOT_ACTIVE: i32 = 1062;
/// `ERROR_SERVICE_ALREADY_RUNNING`.
const ALREADY_RUNNING: i32 = 1056;

type Work = Box<dyn FnOnce(Orders) -> u8 + Send>;

/// What the service does, on its way through the service manager's callback, which takes no arguments of ours.
static WORK: Mutex<Option<Work>> = Mutex::new(None);

/// Registers the service, or brings one that is registered to this.
pub fn install(registration: &Registration) -> Result<(), ServiceError> {
    let Registration { executable, arguments } = registration;
    let info = ServiceInfo {
        name: NAME.into(),
        display_name: DISPLAY_NAME.into(),
        service_type: ServiceType::OWN_PROCESS,
        start_type: ServiceStartType::AutoStart,
        error_control: ServiceErrorControl::Normal,
        executable_path: executable.clone(),
        launch_arguments: arguments.clone(),
        dependencies: Vec::new(),
        account_name: None,
        account_password: None,
    };
    let access = ServiceAccess::CHANGE_CONFIG | ServiceAccess::START;
    let service = match open(access) {
        Ok(service) => {
            service.change_config(&info).map_err(refused("change the service"))?;
            service
        }
        Err(ServiceError::NotInstalled) => {
            let manager = manager(ServiceManagerAccess::CONNECT | ServiceManagerAccess::CREATE_SERVICE)?;
            manager.create_service(&info, access).map_err(refused("register the service"))?
        }
        Err(error) => return Err(error),
    };
    set_recovery(&service).map_err(refused("set what happens when the service fails"))?;
    service.set_description(DESCRIPTION).map_err(refused("describe the service"))
}

/// What the service manager does when the service fails, and how early it starts it.
fn set_recovery(service: &Service) -> windows_service::Result<()> {
    let restart = |delay| ServiceAction { action_type: ServiceActionType::Restart, delay };
    service.update_failure_actions(ServiceFailureActions {
        reset_period: ServiceFailureResetPeriod::After(FORGET_FAILURES),
        reboot_msg: None,
        command: None,
        actions: Some(RECOVERY.map(restart).to_vec()),
    })?;
    // Not every service manager knows these: then only a crash counts as a failure, and the service starts with the others.
    for set in [service.set_failure_actions_on_non_crash_failures(true), service.set_delayed_auto_start(true)] {
        if let Err(error) = set {
            debug!(why = with_causes(&error), "the service manager does not know this setting");
        }
    }
    Ok(())
}

/// Stops the service and removes it, or finds it removed.
pub fn uninstall() -> Result<(), ServiceError> {
    match stop() {
        Ok(()) => {}
        Err(ServiceError::NotInstalled) => return Ok(()),
        Err(error) => return Err(error),
    }
    match open(ServiceAccess::DELETE)?.delete() {
        Err(error) if os_code(&error) != Some(MARKED_FOR_DELETE) => Err(refused("remove the service")(error)),
        Ok(()) | Err(_) => Ok(()),
    }
}

/// Starts the service and waits until it runs.
pub fn start() -> Result<(), ServiceError> {
    let service = open(ServiceAccess::START | ServiceAccess::QUERY_STATUS)?;
    match service.start::<OsString>(&[]) {
        Err(error) if os_code(&error) != Some(ALREADY_RUNNING) => return Err(refused("start the service")(error)),
        Ok(()) | Err(_) => {}
    }
    wait_for(&service, Standing::Running)
}

/// Stops the service and waits until it has stopped.
pub fn stop() -> Result<(), ServiceError> {
    let service = open(ServiceAccess::STOP | ServiceAccess::QUERY_STATUS)?;
    match service.stop() {
        // One that is on its way already takes no orders.
        Err(error) if os_code(&error) != Some(NOT_ACTIVE) && standing(&service)? == Standing::Running => {
            return Err(refused("stop the service")(error));
        }
        Ok(_) | Err(_) => {}
    }
    wait_for(&service, Standing::Stopped)
}

/// How the service stands.
pub fn status() -> Result<Standing, ServiceError> {
    match open(ServiceAccess::QUERY_STATUS) {
        Ok(service) => standing(&service),
        Err(ServiceError::NotInstalled) => Ok(Standing::NotInstalled),
        Err(error) => Err(error),
    }
}

/// The process that the service manager runs as the service, where it runs.
pub fn process_id() -> Result<Option<u32>, ServiceError> {
    let status = open(ServiceAccess::QUERY_STATUS)?.query_status();
    status.map(|status| status.process_id).map_err(refused("ask for the service's process"))
}

/// Does `work` as the service: it is given the service manager's orders, and its exit code tells the service manager
/// whether to start the service anew. Blocks until it is done.
pub fn run(work: impl FnOnce(Orders) -> u8 + Send + 'static) -> Result<(), ServiceError> {
    *WORK.lock().unwrap_or_else(PoisonError::into_inner) = Some(Box::new(work));
    service_dispatcher::start(NAME, service_entry).map_err(|error| match os_code(&error) {
        Some(NOT_FROM_MANAGER) => ServiceError::NotFromManager,
        _ => refused("work as a service")(error),
    })
}

define_windows_service!(service_entry, service_main);

fn service_main(_arguments: Vec<OsString>) {
    let Some(work) = WORK.lock().unwrap_or_else(PoisonError::into_inner).take() else { return };
    let (sender, orders) = orders();
    let manager = Arc::new(OnceLock::new());
    let handler = {
        let manager = Arc::clone(&manager);
        move |control| handle(&control, &sender, &manager)
    };
    let handle = match service_control_handler::register(NAME, handler) {
        Ok(handle) => *manager.get_or_init(|| handle),
        Err(error) => return warn!(why = with_causes(&error), "the service manager does not listen"),
    };
    tell(handle, ServiceState::Running, 0);
    keep_recovery();
    let code = work(orders);
    tell(handle, ServiceState::Stopped, code);
}

/// Answers at once; the work itself is somebody else's.
fn handle(
    control: &ServiceControl,
    sender: &OrderSender,
    manager: &OnceLock<ServiceStatusHandle>,
) -> ServiceControlHandlerResult {
    match control {
        ServiceControl::Stop | ServiceControl::Shutdown | ServiceControl::Preshutdown => {
            info!(?control, "the service manager asks to stop");
            if let Some(handle) = manager.get() {
                tell(*handle, ServiceState::StopPending, 0);
            }
            sender.stop();
            ServiceControlHandlerResult::NoError
        }
        ServiceControl::SessionChange(_) => {
            sender.note_sessions();
            ServiceControlHandlerResult::NoError
        }
        ServiceControl::Interrogate => ServiceControlHandlerResult::NoError,
        _ => ServiceControlHandlerResult::NotImplemented,
    }
}

fn tell(handle: ServiceStatusHandle, state: ServiceState, code: u8) {
    let controls_accepted = match state {
        ServiceState::Running => {
            ServiceControlAccept::STOP | ServiceControlAccept::SHUTDOWN | ServiceControlAccept::SESSION_CHANGE
        }
        _ => ServiceControlAccept::empty(),
    };
    let exit_code =
        if code == 0 { ServiceExitCode::NO_ERROR } else { ServiceExitCode::ServiceSpecific(u32::from(code)) };
    let wait_hint = if state == ServiceState::StopPending { STOPPING } else { Duration::ZERO };
    let status = ServiceStatus {
        service_type: ServiceType::OWN_PROCESS,
        current_state: state,
        controls_accepted,
        exit_code,
        checkpoint: 0,
        wait_hint,
        process_id: None,
    };
    if let Err(error) = handle.set_service_status(status) {
        warn!(?state, why = with_causes(&error), "the service manager does not take the service's state");
    }
}

/// An installer registers services without saying what happens when they fail, so the service says it itself.
fn keep_recovery() {
    let set = open(ServiceAccess::CHANGE_CONFIG | ServiceAccess::START)
        .and_then(|service| set_recovery(&service).map_err(refused("set what happens when the service fails")));
    if let Err(error) = set {
        warn!(why = with_causes(&error), "the service manager would not start a failed agent again");
    }
}

fn wait_for(service: &Service, wanted: Standing) -> Result<(), ServiceError> {
    let begun = Instant::now();
    loop {
        let standing = standing(service)?;
        if standing == wanted {
            return Ok(());
        }
        let waited = begun.elapsed();
        if waited > PATIENCE {
            return Err(ServiceError::Slow { standing, waited });
        }
        thread::sleep(LOOK_EVERY);
    }
}

fn standing(service: &Service) -> Result<Standing, ServiceError> {
    let status = service.query_status().map_err(refused("ask how the service stands"))?;
    Ok(match status.current_state {
        ServiceState::Running | ServiceState::Paused | ServiceState::PausePending | ServiceState::ContinuePending => {
            Standing::Running
        }
        ServiceState::StartPending => Standing::Starting,
        ServiceState::Stopped => Standing::Stopped,
        ServiceState::StopPending => Standing::Stopping,
    })
}

fn manager(access: ServiceManagerAccess) -> Result<ServiceManager, ServiceError> {
    ServiceManager::local_computer(None::<&str>, access).map_err(refused("reach the service manager"))
}

fn open(access: ServiceAccess) -> Result<Service, ServiceError> {
    manager(ServiceManagerAccess::CONNECT)?.open_service(NAME, access).map_err(|error| match os_code(&error) {
        Some(DOES_NOT_EXIST) => ServiceError::NotInstalled,
        _ => refused("open the service")(error),
    })
}

fn refused(step: &'static str) -> impl Fn(windows_service::Error) -> ServiceError {
    move |error| {
        let cause: Box<dyn std::error::Error + Send + Sync> = match error {
            windows_service::Error::Winapi(cause) => cause.into(),
            other => other.into(),
        };
        ServiceError::Refused { step, cause }
    }
}

fn os_code(error: &windows_service::Error) -> Option<i32> {
    match error {
        windows_service::Error::Winapi(cause) => cause.raw_os_error(),
        _ => None,
    }
}
