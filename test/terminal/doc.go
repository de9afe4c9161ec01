// Package terminal starts commands at a terminal of their own, on Linux.
package terminal
