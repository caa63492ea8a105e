//! No core dumps: the memory of a service holds keys and credentials, and a dump of it outlives the crash.

use rustix::process::{Resource, Rlimit, setrlimit};

use crate::settings::{Environment, Invalid, Variable};

/// Whether a crash may leave the memory behind.
pub(crate) const CORE_DUMPS: Variable = Variable {
    name: "RAVEN_CORE_DUMPS",
    default: Some("off"),
    meaning: "off, or as-system: a crash may then leave a dump of the memory, with the secrets in it",
};
/// One byte rather than none: Linux ignores the limit where dumps go to a program, except for this value (core(5) and
/// `fs/coredump.c`), and no file is written for so little either.
const NONE: Rlimit = Rlimit { current: Some(1), maximum: Some(1) };

/// Turns them off unless the setting says otherwise.
pub(crate) fn turn_off_unless_wanted(environment: &Environment) -> Result<(), Invalid> {
    let off = environment.read(&CORE_DUMPS, |text| match text {
        "off" => Ok(true),
        "as-system" => Ok(false),
        _ => Err("is neither off nor as-system"),
    })?;
    if off {
        // Fails only where the limit is lower already, which is as good.
        let _ = setrlimit(Resource::Core, NONE);
    }
    Ok(())
}
