// Line prints a line: what a program costs that does nothing else.
package main

import "fmt"

func main() { fmt.Println("line") }
