//! The cpuset of the process's cgroup, in either version of cgroups.

use crate::cpu_set::CpuSet;
use crate::error::ReadError;
use crate::tree::Tree;

/// How one version names what is needed here.
#[derive(Debug)]
struct Version {
    file_system: &'static str,
    /// What marks the right mount among several of the file system.
    mount_option: Option<&'static str>,
    /// The files to look in, the best first.
    files: &'static [&'static str],
}

const V1: Version = Version {
    file_system: "cgroup",
    mount_option: Some("cpuset"),
    // Without the controller's own prefix where mounted as in Linux 2.6
    // (`noprefix`), as Android still does.
    files: &[
        "cpuset.effective_cpus",
        "cpuset.cpus",
        "effective_cpus",
        "cpus",
    ],
};

const V2: Version = Version {
    file_system: "cgroup2",
    mount_option: None,
    files: &["cpuset.cpus.effective"],
};

/// The CPUs that the process's cgroup grants; none if it has no cpuset.
pub(crate) fn cpuset(tree: &Tree) -> Result<Option<CpuSet>, ReadError> {
    let groups = tree.text("proc/self/cgroup").unwrap_or_default();
    let mounts = tree.text("proc/self/mountinfo").unwrap_or_default();
    let Some((version, group)) = membership(&groups) else {
        return Ok(None);
    };
    let Some(mount) = mounts.lines().find_map(|line| Mount::parse(line, version)) else {
        return Ok(None);
    };
    // The controller may be enabled in an ancestor alone, whose CPUs are then
    // this group's too.
    let mut within = Some(mount.locate(group));
    while let Some(group) = within {
        for file in version.files {
            let path = format!("{}/{group}/{file}", mount.point);
            match tree.parse::<CpuSet>(&path)? {
                Some(cpus) if !cpus.is_empty() => return Ok(Some(cpus)),
                // An empty `cpuset.cpus` means the parent's.
                _ => {}
            }
        }
        within = match group.rsplit_once('/') {
            Some((parent, _)) => Some(parent),
            None if group.is_empty() => None,
            None => Some(""),
        };
    }
    Ok(None)
}

/// The group that governs the process's CPUs. Lines are `number:controllers:path`;
/// a controller is in one hierarchy only, so a v1 cpuset excludes a v2 one.
fn membership(groups: &str) -> Option<(&'static Version, &str)> {
    let mut unified = None;
    for line in groups.lines() {
        let mut fields = line.splitn(3, ':');
        let (Some(number), Some(controllers), Some(path)) =
            (fields.next(), fields.next(), fields.next())
        else {
            continue;
        };
        if controllers.split(',').any(|name| name == "cpuset") {
            return Some((&V1, path));
        }
        if number == "0" && controllers.is_empty() {
            unified = Some((&V2, path));
        }
    }
    unified
}

/// One mounted cgroup hierarchy.
#[derive(Debug)]
struct Mount {
    /// The group that is mounted, from the hierarchy's own root.
    root: String,
    /// Where it is mounted.
    point: String,
}

impl Mount {
    /// A line of `mountinfo`: `id parent device ROOT POINT options [tag…] - FS
    /// source OPTIONS`.
    fn parse(line: &str, version: &Version) -> Option<Self> {
        let (mount, file_system) = line.split_once(" - ")?;
        let mut mount = mount.split(' ').skip(3);
        let (root, point) = (mount.next()?, mount.next()?);
        let mut file_system = file_system.split(' ');
        let (kind, options) = (file_system.next()?, file_system.nth(1)?);
        let marked = version
            .mount_option
            .is_none_or(|mark| options.split(',').any(|option| option == mark));
        (kind == version.file_system && marked).then(|| Self {
            root: unescape(root),
            point: unescape(point),
        })
    }

    /// The path of `group` below the mount point, without a leading slash.
    ///
    /// A group that is not below the mounted one (a container that sees its
    /// host's path, a path that leads out of its namespace) is not visible:
    /// the mounted group is the nearest that is.
    fn locate<'a>(&self, group: &'a str) -> &'a str {
        let root = self.root.trim_end_matches('/');
        let below = group
            .strip_prefix(root)
            .filter(|rest| rest.is_empty() || rest.starts_with('/'))
            .filter(|rest| !rest.split('/').any(|part| part == ".."));
        below.unwrap_or("").trim_matches('/')
    }
}

/// Undoes the octal escapes (`\040`) of spaces and the like.
fn unescape(field: &str) -> String {
    let mut plain = String::with_capacity(field.len());
    let mut rest = field;
    while let Some((before, escape)) = rest.split_once('\\') {
        plain.push_str(before);
        let code = escape
            .get(..3)
            .and_then(|code| u8::from_str_radix(code, 8).ok());
        match code {
            Some(code) if code.is_ascii() => {
                plain.push(char::from(code));
                rest = &escape[3..];
            }
            _ => {
                plain.push('\\');
                rest = escape;
            }
        }
    }
    plain.push_str(rest);
    plain
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn escaped_mount_points_are_read_back() {
        assert_eq!(unescape(r"/sys/my\040cgroup\134x"), r"/sys/my cgroup\x");
        assert_eq!(unescape(r"trailing\"), r"trailing\");
        assert_eq!(unescape(r"not\999octal"), r"not\999octal");
        assert_eq!(unescape("\\é€"), "\\é€");
    }

    #[test]
    fn groups_outside_the_mounted_one_are_not_looked_for() {
        let mount = |root: &str| Mount {
            root: root.to_owned(),
            point: String::new(),
        };
        assert_eq!(mount("/").locate("/a/b"), "a/b");
        assert_eq!(mount("/a").locate("/a/b"), "b");
        assert_eq!(mount("/a").locate("/a"), "");
        assert_eq!(mount("/a").locate("/ab"), "");
        assert_eq!(mount("/docker/1").locate("/system.slice"), "");
        assert_eq!(mount("/").locate("/../../host"), "");
    }
}
