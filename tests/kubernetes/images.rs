//! The images, built as their build files say, by a real buildah without any network, and run as the Pods run them.
//!
//! No registry is asked: each base is made here, of this machine's own C library and of the programs that the build
//! file needs of it, so it is also shown that nothing else is needed. The network is taken away from outside, since
//! buildah's `chroot` isolation, the one that needs no container runtime, can't do it.

use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Output};

use super::chart::deploy;
use super::parts;

/// A place for images, and a folder for bases.
struct Shop {
    folder: tempfile::TempDir,
}

/// A container of an image, whose files are at `root`.
struct Container<'a> {
    shop: &'a Shop,
    name: String,
    root: PathBuf,
}

impl Shop {
    /// None where images can't be built.
    fn open() -> Option<Self> {
        for program in ["buildah", "unshare", "ldd", "strip"] {
            if !parts::is_installed(program) {
                parts::skip(&format!("`{program}` is not installed"));
                return None;
            }
        }
        if !fs::read_to_string("/proc/self/status").unwrap().contains("\nUid:\t0\t0\t") {
            parts::skip("images are built by root alone");
            return None;
        }
        Some(Self { folder: tempfile::tempdir().unwrap() })
    }

    fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    fn try_buildah(&self, arguments: &[&str]) -> Output {
        let mut command = Command::new("unshare");
        command.args(["--net", "buildah", "--storage-driver=vfs", "--root"]).arg(self.path("store"));
        command.arg("--runroot").arg(self.path("run")).args(arguments).output().unwrap()
    }

    /// Has buildah do something, well.
    #[track_caller]
    fn buildah(&self, arguments: &[&str]) -> String {
        let output = self.try_buildah(arguments);
        assert!(output.status.success(), "{arguments:?}: {}", String::from_utf8_lossy(&output.stderr));
        String::from_utf8(output.stdout).unwrap().trim().to_owned()
    }

    /// Makes a base of these programs and what they load, over what is there already; gives its files.
    fn base(&self, name: &str, programs: &[PathBuf]) -> BTreeSet<PathBuf> {
        let root = self.path(name);
        let libraries = programs.iter().flat_map(|program| loaded(program));
        for file in programs.iter().cloned().chain(libraries) {
            lay(&file, &root);
        }
        for folder in ["etc", "tmp", "proc", "sys", "dev", "run"] {
            fs::create_dir_all(root.join(folder)).unwrap();
        }
        let container = self.buildah(&["from", "scratch"]);
        self.buildah(&["add", "--quiet", &container, root.to_str().unwrap(), "/"]);
        self.buildah(&["commit", "--quiet", &container, &format!("localhost/{name}")]);
        files(&root)
    }

    /// Builds an image of `deploy/images` with the program under test.
    fn build(&self, image: &str, base: &str, more: &[&str]) {
        let context = self.path("context");
        fs::create_dir_all(&context).unwrap();
        fs::copy(deploy(&format!("images/{image}/Containerfile")), context.join("Containerfile")).unwrap();
        let stripped = Command::new("strip")
            .arg("-o")
            .arg(context.join("laforge"))
            .arg(env!("CARGO_BIN_EXE_laforge"))
            .status()
            .unwrap();
        assert!(stripped.success());
        let base = format!("BASE=localhost/{base}");
        let build = ["build", "--network=host", "--isolation=chroot", "--pull-never", "--build-arg", &base];
        self.buildah(&[&build[..], more, &["-t", image, context.to_str().unwrap()]].concat());
    }

    fn container(&self, image: &str) -> Container<'_> {
        let name = self.buildah(&["from", "--pull-never", &format!("localhost/{image}")]);
        let root = PathBuf::from(self.buildah(&["mount", &name]));
        Container { shop: self, name, root }
    }
}

impl Container<'_> {
    /// What its image says of a member of its configuration.
    fn configured(&self, member: &str) -> String {
        self.shop.buildah(&["inspect", "--format", &format!("{{{{.OCIv1.Config.{member}}}}}"), &self.name])
    }

    /// Runs something in it, as its user.
    fn run(&self, command: &[&str]) -> Output {
        let run = ["run", "--network=host", "--isolation=chroot", &self.name, "--"];
        self.shop.try_buildah(&[&run[..], command].concat())
    }

    #[track_caller]
    fn says(&self, command: &[&str]) -> String {
        let output = self.run(command);
        assert!(output.status.success(), "{command:?}: {}", String::from_utf8_lossy(&output.stderr));
        String::from_utf8(output.stdout).unwrap().trim().to_owned()
    }

    /// The files that the build laid over its base.
    fn added(&self, base: &BTreeSet<PathBuf>) -> Vec<String> {
        files(&self.root).difference(base).map(|path| path.to_str().unwrap().to_owned()).collect()
    }
}

/// What a program loads, the loader and all.
fn loaded(program: &Path) -> Vec<PathBuf> {
    let output = Command::new("ldd").arg(program).output().unwrap();
    let text = String::from_utf8(output.stdout).unwrap();
    text.split_whitespace().filter(|word| word.starts_with('/')).map(PathBuf::from).collect()
}

/// Lays a file where it is, below a root: links become what they lead to.
fn lay(file: &Path, root: &Path) {
    let target = root.join(file.strip_prefix("/").unwrap());
    fs::create_dir_all(target.parent().unwrap()).unwrap();
    if !target.exists() {
        fs::copy(file, target).unwrap();
    }
}

/// Every file below a root, by its path there.
fn files(root: &Path) -> BTreeSet<PathBuf> {
    let (mut found, mut folders) = (BTreeSet::new(), vec![root.to_owned()]);
    while let Some(folder) = folders.pop() {
        for entry in fs::read_dir(folder).unwrap() {
            let path = entry.unwrap().path();
            match path.is_dir() && !path.is_symlink() {
                true => folders.push(path),
                false => {
                    found.insert(path.strip_prefix(root).unwrap().to_owned());
                }
            }
        }
    }
    found
}

/// The programs by name, where this machine has them.
fn programs(names: &[&str]) -> Vec<PathBuf> {
    let place = |name: &&str| {
        let mut places = ["/bin", "/usr/bin", "/usr/sbin"].iter().map(|folder| Path::new(folder).join(name));
        places.find(|path| path.is_file()).unwrap()
    };
    names.iter().map(place).collect()
}

const VERSION: &str = concat!("laforge ", env!("CARGO_PKG_VERSION"));

#[test]
fn the_runtimes_image_is_the_program_on_a_c_library_and_nothing_else() {
    let Some(shop) = Shop::open() else { return };
    let mut needed = loaded(Path::new(env!("CARGO_BIN_EXE_laforge")));
    needed.sort();
    let base = shop.base("libraries", &needed);
    shop.build("runtime", "libraries", &[]);
    let container = shop.container("runtime");
    // No key, no configuration, no source: what it holds beside its base is known by name.
    assert_eq!(container.added(&base), ["usr/local/bin/laforge"]);
    assert_eq!(container.configured("User"), "10001:10001");
    assert_eq!(container.configured("Entrypoint"), "[/usr/local/bin/laforge]");
    assert_eq!(container.says(&["/usr/local/bin/laforge", "--version"]), VERSION);
    // Its user can write nowhere but where something is mounted.
    let refused = container.run(&["/usr/local/bin/laforge", "init", "/gate"]);
    let said = String::from_utf8(refused.stderr).unwrap();
    assert!(!refused.status.success() && said.contains("ermission denied"), "{said}");
}

#[test]
fn the_backups_image_has_postgresqls_programs_and_a_user_with_a_name() {
    let Some(shop) = Shop::open() else { return };
    let Some(version) = postgresql() else { return parts::skip("no PostgreSQL is installed") };
    let own = PathBuf::from(format!("/usr/lib/postgresql/{version}/bin"));
    let own =
        ["initdb", "pg_dump", "pg_restore", "pg_amcheck", "postgres", "psql"].map(|name| own.join(name));
    let shell = programs(&["sh", "id", "useradd", "touch"]);
    let libraries: Vec<PathBuf> = loaded(Path::new(env!("CARGO_BIN_EXE_laforge")));
    let all = [&own[..], &shell, &libraries].concat();
    let root = shop.path("debian/etc");
    fs::create_dir_all(&root).unwrap();
    // Of Debian's own users the one whose name is near.
    let users = "root:x:0:0:root:/root:/bin/sh\nbackup:x:34:34:backup:/var/backups:/usr/sbin/nologin\n";
    fs::write(root.join("passwd"), users).unwrap();
    fs::write(root.join("group"), "root:x:0:\nbackup:x:34:\n").unwrap();
    fs::write(root.join("nsswitch.conf"), "passwd: files\ngroup: files\n").unwrap();
    shop.base("debian", &all);
    shop.build("backup", "debian", &["--build-arg", &format!("POSTGRESQL={version}")]);
    let container = shop.container("backup");
    assert_eq!(container.configured("User"), "10001:10001");
    assert_eq!(container.says(&["/usr/local/bin/laforge", "--version"]), VERSION);
    assert_eq!(container.says(&["id", "-un"]), "laforge");
    assert!(container.says(&["pg_dump", "--version"]).contains(&format!(") {version}.")));
    assert!(!container.run(&["touch", "/usr/local/bin/laforge"]).status.success());
    let keys = files(&container.root);
    let keys: Vec<&PathBuf> =
        keys.iter().filter(|path| path.extension().is_some_and(|it| it == "key" || it == "pem")).collect();
    assert_eq!(keys, Vec::<&PathBuf>::new());
}

/// The newest version of PostgreSQL that this machine has.
fn postgresql() -> Option<u32> {
    let folders = fs::read_dir("/usr/lib/postgresql").ok()?;
    folders.filter_map(|folder| folder.ok()?.file_name().to_str()?.parse().ok()).max()
}
