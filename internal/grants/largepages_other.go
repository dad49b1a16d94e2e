//go:build !linux

package grants

// askLargePages does nothing: there is no way to ask.
func askLargePages[T any]([]T) {}
