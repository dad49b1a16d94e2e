// Package api holds the contracts of the services, a package each, generated from models/.
package api

//go:generate go run ../apigen -models ../../models -out .
