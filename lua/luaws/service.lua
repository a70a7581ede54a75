--- Which services have a module of their own under service/: what their models do not say.
return { s3 = true }
