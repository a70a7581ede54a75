--- DynamoDB's resources take and return plain Lua values, and tables write in batches.
return {
  ["*"] = {
    init = function(object)
      require("luaws.dynamodb.transform").attach(object.meta.client)
    end,
  },
  Table = {
    --- Writes many items, 25 at a time; see luaws.dynamodb.batch_writer.
    batch_writer = function(self, opts)
      return require("luaws.dynamodb.batch_writer").new(self.meta.client, self.name, opts)
    end,
  },
}
