//! Builds the binaries, each once for each recipe. In: `go.mod` and `go.sum`. Out: `target/tools`. Runs Go; reports on stderr what it does.
//!
//! A recipe is everything that determines the result, as text; it is stored beside the binary after the binary is in place.
//! So an interrupted build leaves nothing that counts as a result, and a new pin triggers a rebuild.

use std::fs::{self, File, TryLockError};
use std::path::{Path, PathBuf};
use std::process::{Command, ExitStatus, Stdio};
use std::time::{Duration, Instant};

use super::{Tool, Tools, ToolsError, target_folder};

type Result<T> = std::result::Result<T, ToolsError>;

/// How often a long build reports that it continues.
const HEARTBEAT: Duration = Duration::from_secs(15);

/// How often a build is checked for its end.
const POLL: Duration = Duration::from_millis(20);

pub(super) fn ensure(wanted: &[Tool]) -> Result<Tools> {
    let folder = target_folder()?.join("tools");
    fs::create_dir_all(&folder).map_err(ToolsError::io("create", &folder))?;
    let _lock = lock(&folder.join("lock"))?;
    let modules = Modules::read()?;
    let wanted: Vec<_> =
        wanted.iter().map(|tool| Build::of(*tool, &folder, &modules)).filter(|build| !build.is_done()).collect();
    if !wanted.is_empty() {
        let names = wanted.iter().map(|build| build.tool.name()).collect::<Vec<_>>().join(", ");
        let go = go_version(&modules, &names)?;
        let (what, into, count) = (&names, folder.display(), wanted.len());
        eprintln!("tools: building {what} with {go} into {into}; once, one to two minutes for each on two cores");
        let start = Instant::now();
        for (before, build) in wanted.iter().enumerate() {
            let progress = format!("{}, {} of {count}", build.tool.name(), before + 1);
            build.run(&modules, &progress, start)?;
        }
        eprintln!("tools: {names} built in {}", spoken(start.elapsed()));
    }
    Ok(Tools { folder })
}

/// One builder at a time; the second one finds everything built.
fn lock(path: &Path) -> Result<File> {
    let lock = File::create(path).map_err(ToolsError::io("create", path))?;
    match lock.try_lock() {
        Ok(()) => return Ok(lock),
        Err(TryLockError::WouldBlock) => eprintln!("tools: waiting for another process that builds them"),
        Err(TryLockError::Error(source)) => return Err(ToolsError::io("lock", path)(source)),
    }
    lock.lock().map_err(ToolsError::io("lock", path))?;
    Ok(lock)
}

/// The Go modules that pin what is built.
struct Modules {
    folder: PathBuf,
    go_mod: String,
    go_sum: String,
}

impl Modules {
    fn read() -> Result<Self> {
        let folder = Path::new(env!("CARGO_MANIFEST_DIR")).to_owned();
        let read = |name| {
            let path = folder.join(name);
            fs::read_to_string(&path).map_err(ToolsError::io("read", &path))
        };
        Ok(Self { go_mod: read("go.mod")?, go_sum: read("go.sum")?, folder })
    }

    /// What follows a word at the start of a line: here, a version.
    fn after(&self, word: &str) -> &str {
        self.go_mod
            .lines()
            .find_map(|line| line.trim().strip_prefix(word)?.strip_prefix(' ')?.split(' ').next())
            .unwrap_or_default()
    }

    /// Kubernetes' programs report a version only if the linker is told.
    fn linker_flags(&self) -> String {
        let version = self.after("k8s.io/kubernetes");
        let mut parts = version.trim_start_matches('v').split('.');
        let (major, minor) = (parts.next().unwrap_or_default(), parts.next().unwrap_or_default());
        let values = [("gitVersion", version), ("gitMajor", major), ("gitMinor", minor), ("gitTreeState", "clean")];
        values.iter().fold("-s -w".to_owned(), |flags, (name, value)| {
            format!("{flags} -X k8s.io/component-base/version.{name}={value}")
        })
    }
}

/// One binary to be built, unless it is there already.
struct Build {
    tool: Tool,
    binary: PathBuf,
    stamp: PathBuf,
    flags: String,
    recipe: String,
}

impl Build {
    fn of(tool: Tool, folder: &Path, modules: &Modules) -> Self {
        let Modules { go_mod, go_sum, .. } = modules;
        let flags = modules.linker_flags();
        Self {
            binary: folder.join(tool.name()),
            stamp: folder.join(format!("{}.stamp", tool.name())),
            recipe: format!("{}\n{flags}\n{go_mod}\n{go_sum}", tool.package()),
            flags,
            tool,
        }
    }

    fn is_done(&self) -> bool {
        self.binary.is_file() && fs::read_to_string(&self.stamp).is_ok_and(|recipe| recipe == self.recipe)
    }

    fn run(&self, modules: &Modules, progress: &str, start: Instant) -> Result<()> {
        let fresh = self.binary.with_extension("new");
        let log = self.binary.with_extension("log");
        let output = File::create(&log).map_err(ToolsError::io("create", &log))?;
        let mut go = Command::new("go");
        // `-s -w` drops what debuggers read; not making it in the first place saves a tenth of the time, and changes no instruction.
        go.args(["build", "-trimpath", "-buildvcs=false", "-gcflags=all=-dwarf=false", "-ldflags", &self.flags, "-o"])
            .arg(&fresh)
            .arg(self.tool.package())
            .current_dir(&modules.folder)
            .env("CGO_ENABLED", "0")
            .env("GOWORK", "off")
            .env_remove("GOFLAGS")
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(output);
        if !with_heartbeat(&mut go, progress, start)?.success() {
            return Err(ToolsError::Build { tool: self.tool.name(), tail: tail(&log), log });
        }
        fs::rename(&fresh, &self.binary).map_err(ToolsError::io("rename", &fresh))?;
        fs::write(&self.stamp, &self.recipe).map_err(ToolsError::io("write", &self.stamp))
    }
}

fn with_heartbeat(command: &mut Command, progress: &str, start: Instant) -> Result<ExitStatus> {
    let mut child = command.spawn().map_err(ToolsError::Run)?;
    let mut beat = Instant::now();
    loop {
        if let Some(status) = child.try_wait().map_err(ToolsError::Run)? {
            return Ok(status);
        }
        if beat.elapsed() >= HEARTBEAT {
            beat = Instant::now();
            eprintln!("tools: ... {progress}, {} so far", spoken(start.elapsed()));
        }
        std::thread::sleep(POLL);
    }
}

/// The version of Go, if it is recent enough for the modules.
fn go_version(modules: &Modules, tools: &str) -> Result<String> {
    let needed = modules.after("go").to_owned();
    let refuse = |found: String| ToolsError::Go { needed: needed.clone(), found, tools: tools.to_owned() };
    // Run in the folder of the modules: there, an old Go may fetch a newer one, or reports that it will not.
    let answer = Command::new("go")
        .args(["env", "GOVERSION"])
        .current_dir(&modules.folder)
        .env("GOWORK", "off")
        .output()
        .map_err(|error| refuse(format!("`go` cannot be run: {error}")))?;
    if !answer.status.success() {
        return Err(refuse(format!("`go` answers: {}", String::from_utf8_lossy(&answer.stderr).trim())));
    }
    let found = String::from_utf8_lossy(&answer.stdout).trim().to_owned();
    if numbers(&found) < numbers(&needed) {
        return Err(refuse(format!("this is {found}")));
    }
    Ok(found)
}

/// `go1.26.8` and `1.26.0` as numbers that compare.
fn numbers(version: &str) -> Vec<u32> {
    version.trim_start_matches("go").split('.').map_while(|part| part.parse().ok()).collect()
}

/// The last lines of a log, indented.
fn tail(log: &Path) -> String {
    let bytes = fs::read(log).unwrap_or_default();
    let text = String::from_utf8_lossy(&bytes);
    let mut lines: Vec<_> = text.lines().rev().take(15).map(|line| format!("    {line}")).collect();
    lines.reverse();
    lines.join("\n")
}

fn spoken(elapsed: Duration) -> String {
    format!("{} min {:02} s", elapsed.as_secs() / 60, elapsed.as_secs() % 60)
}

#[cfg(test)]
mod tests {
    use super::numbers;

    #[test]
    fn an_older_go_compares_as_older() {
        let cases =
            [("go1.25.9", true), ("go1.9", true), ("", true), ("go1.26.0", false), ("go1.27", false), ("go2.0", false)];
        for (found, older) in cases {
            assert_eq!(numbers(found) < numbers("1.26.0"), older, "{found}");
        }
    }
}
