// Package catalog is the table of provisioning services.
package catalog

// A Catalog is a table of services.
type Catalog struct{}
