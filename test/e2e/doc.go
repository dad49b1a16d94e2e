// Package e2e runs the one binary as a process and drives it with the clients that people use: the AWS CLI, the SDKs, a
// browser. Nothing in it knows the inside of the server.
package e2e
