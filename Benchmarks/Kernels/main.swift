print("kernel-benchmark")
