//! No core dumps: the memory of a program holds keys and credentials, and a dump of it outlives the crash.

use rustix::process::{DumpableBehavior, set_dumpable_behavior};

use crate::settings::{Environment, Invalid, Variable};

/// Whether a crash may leave the memory behind.
pub(crate) const CORE_DUMPS: Variable = Variable {
    name: "RAVEN_CORE_DUMPS",
    default: Some("off"),
    meaning: "off, or as-system: a crash may then leave a dump of the memory, with the secrets in it",
};

/// Turns them off unless the setting says otherwise.
///
/// A limit on the size of a dump would not do: Linux ignores it where dumps go to a program (core(5)). What is not dumpable
/// goes to no program either, and its memory and environment are closed to other processes of the same user.
pub fn turn_off_unless_wanted(environment: &Environment) -> Result<(), Invalid> {
    let off = environment.read(&CORE_DUMPS, |text| match text {
        "off" => Ok(true),
        "as-system" => Ok(false),
        _ => Err("is neither off nor as-system"),
    })?;
    if off {
        set_dumpable_behavior(DumpableBehavior::NotDumpable)
            .map_err(|fault| CORE_DUMPS.invalid(format!("is off, which the system refuses: {fault}")))?;
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use rustix::process::dumpable_behavior;

    use super::*;

    #[test]
    fn a_process_is_not_dumpable_unless_that_is_wanted() {
        set_dumpable_behavior(DumpableBehavior::Dumpable).unwrap();
        turn_off_unless_wanted(&Environment::of([("RAVEN_CORE_DUMPS", "as-system")])).unwrap();
        assert_eq!(dumpable_behavior().unwrap(), DumpableBehavior::Dumpable);
        turn_off_unless_wanted(&Environment::of([])).unwrap();
        assert_eq!(dumpable_behavior().unwrap(), DumpableBehavior::NotDumpable);
        assert!(turn_off_unless_wanted(&Environment::of([("RAVEN_CORE_DUMPS", "on")])).is_err());
    }
}
