package file

import "syscall"

// sharedFileSystems are those that several nodes see, by the number that
// statfs(2) gives.
var sharedFileSystems = map[uint32]string{
	0x6969:     "NFS",
	0x0bd00bd0: "Lustre",
	0x47504653: "GPFS",
	0x19830326: "BeeGFS",
	0x00c36400: "CephFS",
	0x65735546: "FUSE", // GlusterFS, DAOS, sshfs, virtiofs
	0x20030528: "OrangeFS",
	0xaad7aaea: "PanFS",
	0x18031977: "WekaFS",
	0x5346414f: "AFS",
	0x6b414653: "kAFS",
	0xff534d42: "CIFS",
	0xfe534d42: "SMB",
	0x0000517b: "SMB",
	0x01021997: "9p",
	0x01161970: "GFS2",
	0x7461636f: "OCFS2",
	0x73757245: "Coda",
}

// Shared names the network or cluster file system that dir is on,
// or returns "" if it is on none that we know.
func Shared(dir string) string {
	var stat syscall.Statfs_t
	if syscall.Statfs(dir, &stat) != nil {
		return ""
	}
	return sharedFileSystems[uint32(stat.Type)]
}
