package control

import "syscall"

const sendFlags = syscall.MSG_DONTWAIT | syscall.MSG_NOSIGNAL
