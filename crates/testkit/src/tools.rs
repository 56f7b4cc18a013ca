//! Where the programs are that `make tools` builds. Keep in step with tools/build.

use std::env;
use std::path::{Path, PathBuf};

use crate::Error;

const KUBERNETES: (&str, &str) = ("k8s.io/kubernetes", include_str!("../../../tools/kubernetes/go.mod"));
const ETCD: (&str, &str) = ("go.etcd.io/etcd/server/v3", include_str!("../../../tools/etcd/go.mod"));
const HELM: (&str, &str) = ("helm.sh/helm/v4", include_str!("../../../tools/helm/go.mod"));

/// The path of `kube-apiserver`, `kube-controller-manager`, `kubectl`, `etcd` or `helm`: from KUBEBUILDER_ASSETS if it is
/// there, else from the cache that `make tools` fills.
///
/// # Errors
/// [`Error::ToolNotFound`] when it is in neither of them.
pub fn tool_path(name: &str) -> Result<PathBuf, Error> {
    let searched: Vec<PathBuf> =
        env::var_os("KUBEBUILDER_ASSETS").map(PathBuf::from).into_iter().chain(built()).collect();
    searched
        .iter()
        .map(|folder| folder.join(name))
        .find(|path| path.is_file())
        .ok_or_else(|| Error::ToolNotFound { name: name.to_owned(), searched })
}

/// The folder of this workspace.
pub fn workspace_root() -> PathBuf {
    let testkit = Path::new(env!("CARGO_MANIFEST_DIR"));
    testkit.ancestors().nth(2).unwrap_or(testkit).to_owned()
}

fn built() -> Option<PathBuf> {
    let cache = env::var_os("XDG_CACHE_HOME")
        .filter(|folder| !folder.is_empty())
        .map(PathBuf::from)
        .or_else(|| env::var_os("HOME").map(|home| Path::new(&home).join(".cache")))?;
    let versions = [KUBERNETES, ETCD, HELM].map(|(module, go_mod)| pinned(module, go_mod).unwrap_or("unknown"));
    Some(cache.join("carpack/assets").join(versions.join("-")))
}

fn pinned<'a>(module: &str, go_mod: &'a str) -> Option<&'a str> {
    go_mod.lines().find_map(|line| {
        let mut words = line.trim_start_matches("require ").split_whitespace();
        (words.next()? == module).then_some(words.next()?).filter(|version| version.starts_with('v'))
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_pinned_versions_are_read_from_the_go_modules() {
        for (module, go_mod) in [KUBERNETES, ETCD, HELM] {
            assert!(pinned(module, go_mod).is_some(), "{module} is not pinned");
        }
    }

    #[test]
    fn a_missing_program_is_reported_with_the_way_out() {
        let message = tool_path("no-such-program").unwrap_err().to_string();
        assert!(message.contains("no-such-program was not found in"), "{message}");
        assert!(message.contains("run `make tools`"), "{message}");
    }

    /// A pipe into a reader that stops early would fail now and then: the program is killed while it still writes.
    #[test]
    fn a_program_that_writes_much_after_its_version_is_built() {
        let folder = crate::TemporaryFolder::new("tools").unwrap();
        let version = pinned(ETCD.0, ETCD.1).unwrap().trim_start_matches('v');
        let program = format!("#!/bin/sh\necho {version}\nseq 100000\n");
        let compiler = format!(
            "#!/bin/sh\nwhile [ \"$1\" != -o ]; do shift; done\ncat >\"$2\" <<'END'\n{program}END\nchmod +x \"$2\"\n"
        );
        std::fs::write(folder.path().join("go"), compiler).unwrap();
        std::fs::set_permissions(folder.path().join("go"), std::os::unix::fs::PermissionsExt::from_mode(0o755))
            .unwrap();
        let mut path = folder.path().as_os_str().to_owned();
        path.push(":");
        path.push(env::var_os("PATH").unwrap());
        let build = std::process::Command::new(workspace_root().join("tools/build"))
            .arg("etcd")
            .env("PATH", path)
            .env("XDG_CACHE_HOME", folder.path())
            .env_remove("KUBEBUILDER_ASSETS")
            .output()
            .unwrap();
        assert!(build.status.success(), "{}", String::from_utf8_lossy(&build.stderr));
    }
}
