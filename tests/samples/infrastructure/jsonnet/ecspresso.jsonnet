local must_env = std.native('must_env');
local tfstate = std.native('tfstate');

{
  region: must_env('AWS_REGION'),
  cluster: tfstate('module.web.aws_ecs_cluster.main.name'),
  service: std.native('env')('SERVICE', 'web'),
  service_definition: 'ecs-service-def.jsonnet',
  task_definition: 'ecs-task-def.json',
  plugins: [
    {
      name: 'tfstate',
      config: { path: 'terraform.tfstate' },
    },
  ],
}
