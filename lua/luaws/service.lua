--- Which services have a module of their own under service/: what their models do not say. A module returns
--- `register`, which puts its handlers on an emitter, and `methods`, beside the operations.
return {
  ["bedrock-agentcore"] = true, ["cognito-identity"] = true, ["sso-oidc"] = true, apigateway = true,
  autoscaling = true, cloudformation = true, cloudsearchdomain = true, cloudwatch = true, docdb = true,
  dsql = true, ec2 = true, glacier = true, iam = true, importexport = true, logs = true,
  machinelearning = true, mturk = true, neptune = true, polly = true, rds = true, route53 = true, s3 = true,
  s3control = true, socialmessaging = true, sts = true,
}
