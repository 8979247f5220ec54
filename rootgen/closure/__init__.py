"""(vocabulary of closure: written with the room)"""
