package main

import (
	"fmt"
	"math/rand/v2"
	"net"
	"strconv"

	"github.com/spf13/cobra"
)

// Below the range that the kernel gives to outgoing connections: a port that is free now can be
// taken only by another server, not by chance.
const firstPort, lastPort = 20000, 29999

// portsCommand prints free TCP ports of 127.0.0.1.
func portsCommand() *cobra.Command {
	return &cobra.Command{Use: "ports COUNT", Short: "print free ports of 127.0.0.1", Args: cobra.ExactArgs(1),
		RunE: func(_ *cobra.Command, args []string) error {
			count, err := strconv.Atoi(args[0])
			if err != nil {
				return err
			}
			for _, offset := range rand.Perm(lastPort - firstPort + 1) {
				if count == 0 {
					break
				}
				if l, err := net.Listen("tcp", net.JoinHostPort("127.0.0.1", strconv.Itoa(firstPort+offset))); err == nil {
					defer l.Close() // held until all are found, so none is given twice
					fmt.Println(firstPort + offset)
					count--
				}
			}
			return nil
		}}
}
