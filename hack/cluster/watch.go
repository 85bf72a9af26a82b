package main

import (
	"context"
	"fmt"
	"log"
	"time"

	"github.com/spf13/cobra"
	"k8s.io/client-go/informers"
	"k8s.io/client-go/kubernetes"
	"k8s.io/client-go/tools/cache"
	"k8s.io/client-go/tools/clientcmd"
)

// connect adds --kubeconfig to a command, and gives what makes its client.
func connect(c *cobra.Command) func() (kubernetes.Interface, error) {
	path := c.Flags().String("kubeconfig", "", "path of the kubeconfig")
	return func() (kubernetes.Interface, error) {
		config, err := clientcmd.BuildConfigFromFlags("", *path)
		if err != nil {
			return nil, err
		}
		config.QPS, config.Burst = 500, 1000
		return kubernetes.NewForConfig(config)
	}
}

// follow calls pass after the informers are filled and then after every change, one call at a time: it sees
// the state, not the event, so changes that come together cost one call, and one that failed is repeated.
func follow(ctx context.Context, factory informers.SharedInformerFactory, watched []cache.SharedIndexInformer, pass func(context.Context) error) error {
	changed := make(chan struct{}, 1)
	notify := func() {
		select {
		case changed <- struct{}{}:
		default: // a call is due already
		}
	}
	for _, informer := range watched {
		_, err := informer.AddEventHandler(cache.ResourceEventHandlerFuncs{
			AddFunc: func(any) { notify() }, UpdateFunc: func(any, any) { notify() }, DeleteFunc: func(any) { notify() }})
		if err != nil {
			return err
		}
	}
	factory.Start(ctx.Done())
	for kind, filled := range factory.WaitForCacheSync(ctx.Done()) {
		if !filled && ctx.Err() == nil {
			return fmt.Errorf("cannot list %v", kind)
		}
	}
	notify()
	for {
		select {
		case <-ctx.Done():
			return nil
		case <-changed:
			if err := pass(ctx); err != nil {
				log.Print(err)
				time.AfterFunc(time.Second, notify)
			}
		}
	}
}
