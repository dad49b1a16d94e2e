// Package bench measures the server as a process: benchmarks drive it over HTTP and read its processor time from the
// operating system, so that what the client costs is not counted.
//
//	LAKEGATE_BINARY=bin/lakegate go test -run '^$' -bench . -benchtime 3s ./bench
package bench
