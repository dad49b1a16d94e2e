// Package demo seeds the story that `lakegate demo` tells: the Red and the Blue Project Group, the data application of the
// sales department, and who may read what. It is a client of the public APIs, as any administrator's script would be, and
// knows nothing of the server that it talks to.
//
// Two accounts play in it: one owns the identity center (222222222222), the other the application and the data
// (111111111111). Every step looks whether its work is already there, so that an interrupted start can be repeated.
package demo
