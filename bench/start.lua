require("luaws").client("ec2")
